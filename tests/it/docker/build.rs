//! Building.

use super::support::{
    ImageName, Kept, Project, both_builders, build, docker, engine, files_in, refusal,
};
use surefoot::release::Values;
use surefoot::world::builder::Builder as _;

#[tokio::test]
async fn an_image_is_built_named_and_found() {
    if engine().await.is_none() {
        return;
    }
    for (which, builder) in both_builders() {
        let project = Project::new(
            "FROM scratch AS base\nARG WORD=unset\nCOPY busybox /bin/sh\nRUN [\"/bin/sh\", \
             \"-c\", \"echo the word is $WORD\"]\nFROM base\nCOPY never /never\n",
        )
        .with_busybox();
        let name = ImageName::new();
        let mut request = project.request();
        request.target = Some("base".into());
        request.arguments.insert("WORD".parse().unwrap(), format!("hello-{}", std::process::id()));
        let (image, kept) = build(&builder, &request, &name).await;
        let image = image.unwrap_or_else(|error| panic!("{which}: {error} {:?}", kept.lines()));
        assert!(image.platform.is_linux_amd64());
        assert!(image.size > 100_000, "{which}: {}", image.size);
        assert_eq!(builder.find(&name.name).await.unwrap(), Some(image.clone()), "{which}");
        assert_eq!(builder.find(&image.id).await.unwrap(), Some(image), "{which}");
        let lines = kept.lines();
        assert!(
            lines.iter().any(|line| line.ends_with("the word is (hidden)")),
            "{which}: {lines:?}"
        );
        // What the documents warn of: the engine keeps the arguments in the image itself.
        let history = docker(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", &name.name]);
        let history = String::from_utf8_lossy(&history.stdout).into_owned();
        let word = format!("WORD=hello-{}", std::process::id());
        assert!(history.contains(&word), "{which}: {history}");
    }
}

#[tokio::test]
async fn no_line_of_a_build_and_no_refusal_holds_an_argument_or_a_value() {
    if engine().await.is_none() {
        return;
    }
    for (which, builder) in both_builders() {
        let project = Project::new(
            "FROM scratch\nARG TOKEN\nCOPY busybox /bin/sh\nCOPY env /env\nSHELL [\"/bin/sh\", \
             \"-ec\"]\nRUN set -x; echo \"$TOKEN\"; . /env; echo $PLAIN; printf can; printf \
             ary-argument; exit 3\n",
        )
        .with_busybox();
        project.write("env", &format!("# {which}\nPLAIN=canary-plain\n"));
        let mut request = project.request();
        request.arguments.insert("TOKEN".parse().unwrap(), "canary-argument".into());
        let plain = ("PLAIN".parse().unwrap(), "canary-plain".to_owned());
        let (kept, secrets) = (Kept::default(), Values::new([plain].into()));
        let name = ImageName::new();
        let refused = builder.build(&request, &name.name, &secrets, &kept).await;
        let (code, message, details) = refusal(refused);
        assert_eq!(code, "build-failed", "{which}: {message}");
        let said = format!("{message} {details:?} {:?}", kept.all());
        assert!(!said.contains("canary"), "{which}: {said}");
        assert!(said.contains("+ echo (hidden)"), "{which}: {said}");
        assert!(details.iter().any(|line| line.contains("echo (hidden)")), "{which}: {details:?}");
    }
}

#[tokio::test]
async fn an_absent_image_is_not_found() {
    let Some(builder) = engine().await else { return };
    assert_eq!(builder.find("surefoot-test/absent:v0").await.unwrap(), None);
}

#[tokio::test]
async fn the_engine_introduces_itself() {
    let Some(builder) = engine().await else { return };
    let engine = builder.engine().await.unwrap();
    assert!(engine.version.chars().any(|c| c.is_ascii_digit()), "{engine:?}");
    assert!(engine.address.contains("://"), "{engine:?}");
}

#[tokio::test]
async fn what_the_ignore_file_names_is_in_no_image() {
    if engine().await.is_none() {
        return;
    }
    for (which, builder) in both_builders() {
        let project = Project::new("FROM scratch\nCOPY . /app/\n");
        project.write(".dockerignore", "secret.txt\n");
        project.write("secret.txt", "hunter2");
        project.write("public.txt", which);
        project.write(".deploy-history/journal.redb", "j");
        let name = ImageName::new();
        build(&builder, &project.request(), &name).await.0.unwrap();
        let files = files_in(&name.name).await;
        assert!(files.iter().any(|file| file.ends_with("app/public.txt")), "{which}: {files:?}");
        assert!(!files.iter().any(|file| file.contains("secret")), "{which}: {files:?}");
        assert!(!files.iter().any(|file| file.contains("history")), "{which}: {files:?}");
    }
}

#[tokio::test]
async fn an_image_of_another_platform_is_refused() {
    if engine().await.is_none() {
        return;
    }
    let project = Project::new("FROM scratch\nCOPY Dockerfile /x\n");
    let foreign = ImageName::new();
    let path = project.path().to_str().unwrap();
    let built = docker(&["build", "--platform", "linux/arm64", "--tag", &foreign.name, path]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for (which, builder) in both_builders() {
        project.write("Dockerfile", &format!("FROM {}\nENV WHICH={which}\n", foreign.name));
        let (answer, kept) = build(&builder, &project.request(), &ImageName::new()).await;
        let (code, message, _) = refusal(answer);
        // BuildKit does not take a base of another platform, and asks the registry for ours.
        let expected = if which == "classic" { "wrong-platform" } else { "build-failed" };
        assert_eq!(code, expected, "{which}: {message} {:?}", kept.lines());
    }
}

#[tokio::test]
async fn a_failing_build_says_why() {
    if engine().await.is_none() {
        return;
    }
    let label = format!("surefoot-test={}", std::process::id());
    let busy = format!("FROM scratch\nLABEL {label}\nCOPY busybox /bin/sh\n");
    let cases = [
        ("FROM scratch\nCOPY nope /\n".to_owned(), "nope"),
        ("FROM scratch\nFOO bar\n".to_owned(), "FOO"),
        (
            format!("{busy}RUN [\"/bin/sh\", \"-c\", \"echo last $((40+2)) words; exit 3\"]\n"),
            "code: 3",
        ),
        (String::new(), "empty"),
    ];
    for (which, builder) in both_builders() {
        for (dockerfile, word) in &cases {
            let project = Project::new(dockerfile).with_busybox();
            let name = ImageName::new();
            let (answer, _) = build(&builder, &project.request(), &name).await;
            let (code, message, details) = refusal(answer);
            assert_eq!(code, "build-failed", "{which} {dockerfile:?}");
            assert!(message.to_lowercase().contains(&word.to_lowercase()), "{which}: {message}");
            let ran = details.iter().any(|line| line.contains("last 42 words"));
            assert_eq!(ran, dockerfile.contains("RUN"), "{which}: {details:?}");
            assert_eq!(builder.find(&name.name).await.unwrap(), None, "{which}");
        }
    }
    // What the classic builder made before it failed.
    docker(&["image", "prune", "--force", "--filter", &format!("label={label}")]);
}

#[tokio::test]
async fn a_missing_dockerfile_is_refused_before_the_engine_is_asked() {
    let Some(builder) = engine().await else { return };
    let project = Project::new("");
    let mut request = project.request();
    request.dockerfile = "Dockerfile.absent".into();
    let (answer, kept) = build(&builder, &request, &ImageName::new()).await;
    let (code, message, _) = refusal(answer);
    assert_eq!(code, "no-dockerfile");
    assert!(message.contains("Dockerfile.absent"), "{message}");
    assert_eq!(kept.all(), []);
}

#[tokio::test]
async fn a_tree_that_is_not_fit_is_never_built_in_part() {
    if engine().await.is_none() {
        return;
    }
    for (which, builder) in both_builders() {
        let project = Project::new("FROM scratch\nCOPY Dockerfile /\n");
        let pipe = project.path().join("z-pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let name = ImageName::new();
        let (code, message, _) = refusal(build(&builder, &project.request(), &name).await.0);
        assert_eq!(code, "special-file", "{which}: {message}");
        assert_eq!(builder.find(&name.name).await.unwrap(), None, "{which}");
    }
}

#[tokio::test]
async fn cached_steps_are_marked() {
    if engine().await.is_none() {
        return;
    }
    for (which, builder) in both_builders() {
        let project = Project::new("FROM scratch\nCOPY a /a\n");
        project.write("a", &format!("{which} {}", std::process::id()));
        let name = ImageName::new();
        let first = build(&builder, &project.request(), &name).await.0.unwrap();
        let (second, kept) = build(&builder, &project.request(), &name).await;
        assert_eq!(first.id, second.unwrap().id, "{which}");
        let mark = if which == "classic" { "Using cache" } else { "CACHED" };
        assert!(kept.lines().iter().any(|line| line.contains(mark)), "{which}: {:?}", kept.lines());
    }
}

#[tokio::test]
async fn a_dockerfile_in_a_folder_and_odd_entries_build() {
    if engine().await.is_none() {
        return;
    }
    for (which, builder) in both_builders() {
        let project = Project::new("");
        std::fs::remove_file(project.path().join("Dockerfile")).unwrap();
        project.write("build files/Dockerfile.web", "FROM scratch\nCOPY . /app/\n");
        project.write(".dockerignore", "*\n!kept\n");
        project.write("kept/ü ñ/file", which);
        let long = format!("kept/{}/{}", "d".repeat(150), "f".repeat(180));
        project.write(&long, "long");
        let link = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, project.path().join("kept").join(name)).unwrap();
        };
        link("nowhere", "dangling");
        link("loop", "loop");
        link("../../../../etc/passwd", "escaping");
        let _socket =
            std::os::unix::net::UnixListener::bind(project.path().join("kept/app.sock")).unwrap();
        let mut request = project.request();
        request.dockerfile = "build files/Dockerfile.web".into();
        let name = ImageName::new();
        let (answer, kept) = build(&builder, &request, &name).await;
        answer.unwrap_or_else(|error| panic!("{which}: {error}"));
        let notices = format!("{:?}", kept.all());
        assert!(notices.contains("kept/app.sock is a socket"), "{which}: {notices}");
        let files = files_in(&name.name).await;
        for path in ["kept/dangling", "kept/loop", "kept/escaping"] {
            assert!(files.contains(&format!("l 777 app/{path}")), "{which}: {files:?}");
        }
        assert!(files.iter().any(|file| file.ends_with(&long)), "{which}: {files:?}");
        assert!(files.iter().any(|file| file.ends_with("ü ñ/file")), "{which}: {files:?}");
    }
}

/// Builds at once.
const BUILDS: usize = 12;

#[tokio::test]
async fn builders_are_reliable_in_a_row_and_side_by_side() {
    if engine().await.is_none() {
        return;
    }
    for (which, builder) in both_builders() {
        let builds = (0..BUILDS).map(async |number| {
            let project = Project::new("FROM scratch\nCOPY a /a\n");
            project.write("a", &format!("{which} {number}"));
            let name = ImageName::new();
            build(&builder, &project.request(), &name).await.0.map(|_| ())
        });
        let answers = futures_util::future::join_all(builds).await;
        assert!(answers.iter().all(Result::is_ok), "{which}: {answers:?}");
    }
}
