use std::sync::Arc;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    BuildImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptions, TagImageOptions,
};
use futures_util::StreamExt as _;
use serde_json::json;

use super::*;
use crate::sandbox::door::oci::{Faults, OciDoor};
use crate::sandbox::registry::{Registry, Settings};

struct Bench {
    docker: Docker,
    registry: Arc<Registry>,
    folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let registry =
        Arc::new(Registry::passing(Settings::new("123456789012", "eu-central-1", &authority)));
    registry.answer("CreateRepository", &json!({"repositoryName": "shop"}), 0).unwrap();
    let door = OciDoor::new(Arc::clone(&registry), Faults::default(), Arc::new(|| 0));
    tokio::spawn(serve(listener, Arc::new(move |request| door.clone().respond(request))));
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let engine = Engine::new();
    let service = move |request| engine.clone().respond(request);
    tokio::spawn(serve(listener, Arc::new(service)));
    let docker =
        Docker::connect_with_unix(&socket.to_string_lossy(), 20, bollard::API_DEFAULT_VERSION)
            .unwrap();
    Bench { docker, registry, folder }
}

fn context(dockerfile: &str, files: &[(&str, &str)]) -> bytes::Bytes {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in [("Dockerfile", dockerfile)].iter().chain(files) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().into()
}

const FILES: [(&str, &str); 4] =
    [("a.txt", "A"), ("b.txt", "B"), ("folder/c.txt", "C"), ("folder/deep/d.txt", "D")];

impl Bench {
    async fn build(&self, name: &str, dockerfile: &str) -> Result<String, String> {
        let options = BuildImageOptionsBuilder::default()
            .t(name)
            .platform("linux/amd64")
            .buildargs(&std::collections::HashMap::from([("version", "7")]))
            .build();
        let body = bollard::body_full(context(dockerfile, &FILES));
        let mut steps = Box::pin(self.docker.build_image(options, None, Some(body)));
        let mut said = String::new();
        while let Some(step) = steps.next().await {
            said += &step.map_err(|error| error.to_string())?.stream.unwrap_or_default();
        }
        Ok(said)
    }

    async fn push(&self, name: &str, tag: &str) -> Result<Vec<String>, String> {
        let credentials = DockerCredentials {
            username: Some("AWS".into()),
            password: Some(self.registry.password(0)),
            ..DockerCredentials::default()
        };
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let mut steps = Box::pin(self.docker.push_image(name, Some(options), Some(credentials)));
        let mut said = Vec::new();
        while let Some(step) = steps.next().await {
            said.extend(step.map_err(|error| error.to_string())?.status);
        }
        Ok(said)
    }

    /// The files of an image's layers, as `path` or `path -> content`.
    async fn files(&self, name: &str) -> Vec<String> {
        let repository = format!("{}/shop", self.registry.authority());
        let options = TagImageOptions { repo: Some(repository.clone()), tag: Some("seen".into()) };
        self.docker.tag_image(name, Some(options)).await.unwrap();
        self.push(&repository, "seen").await.unwrap();
        let stored = self.registry.manifest("shop", "seen", None).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&stored.text).unwrap();
        let mut seen = Vec::new();
        for layer in manifest["layers"].as_array().unwrap() {
            let blob = self.registry.blobs().open(layer["digest"].as_str().unwrap()).unwrap();
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(blob.into_reader()));
            for entry in archive.entries().unwrap() {
                let mut entry = entry.unwrap();
                let mut content = String::new();
                std::io::Read::read_to_string(&mut entry, &mut content).unwrap();
                let path = entry.path().unwrap().display().to_string();
                let owner = entry.header().uid().unwrap();
                let owner = if owner == 0 { String::new() } else { format!(" ({owner})") };
                seen.push(format!("{path}{owner} {content}").trim_end().to_owned());
            }
        }
        seen
    }
}

#[tokio::test]
async fn an_image_is_built_pushed_and_found_in_the_registry() {
    let bench = bench().await;
    let name = format!("{}/shop", bench.registry.authority());
    let dockerfile = "ARG version\nFROM scratch\nARG version=1\nENV V=$version\nWORKDIR /app\n\
        COPY a.txt .\nLABEL l=\"x y\"\nEXPOSE 8080\nUSER 1000\nENTRYPOINT [\"/run\"]\nCMD serve it\n";
    let said = bench.build(&format!("{name}:v1"), dockerfile).await.unwrap();
    assert!(said.contains("Step 3/11 : ARG version=1"), "{said}");
    assert!(said.contains(&format!("Successfully tagged {name}:v1")), "{said}");
    let image = bench.docker.inspect_image(&format!("{name}:v1")).await.unwrap();
    assert_eq!(
        (image.os.as_deref(), image.architecture.as_deref()),
        (Some("linux"), Some("amd64"))
    );
    let config = image.config.unwrap();
    assert!(config.env.unwrap().contains(&"V=7".to_owned()));
    assert_eq!(config.working_dir.as_deref(), Some("/app"));
    assert_eq!(config.labels.unwrap()["l"], "x y");
    assert_eq!(config.cmd.unwrap(), ["/bin/sh", "-c", "serve it"]);

    let said = bench.push(&name, "v1").await.unwrap();
    let found = bench.registry.resolve(&format!("{name}:v1")).unwrap();
    assert_eq!(found.platform.as_deref(), Some("linux/amd64"));
    let line = format!("v1: digest: {} size: ", found.digest);
    assert!(said.last().unwrap().starts_with(&line), "{said:?}");
    let said = bench.push(&name, "v1").await.unwrap();
    assert!(said.contains(&"Layer already exists".to_owned()));
    let image = bench.docker.inspect_image(&format!("{name}:v1")).await.unwrap();
    assert_eq!(image.repo_digests.unwrap(), [format!("{name}@{}", found.digest)]);
    let credentials = DockerCredentials {
        username: Some("AWS".into()),
        password: Some(bench.registry.password(0)),
        ..DockerCredentials::default()
    };
    let seen = bench
        .docker
        .inspect_registry_image(&format!("{name}:v1"), Some(credentials))
        .await
        .unwrap();
    assert_eq!(seen.descriptor.digest.as_deref(), Some(found.digest.as_str()));
    assert_eq!(seen.platforms[0].architecture.as_deref(), Some("amd64"));

    let options = None::<RemoveImageOptions>;
    bench.docker.remove_image(&format!("{name}:v1"), options, None).await.unwrap();
    assert!(bench.docker.inspect_image(&format!("{name}:v1")).await.is_err());
}

#[tokio::test]
async fn the_same_content_has_the_same_id_and_other_content_another() {
    let (first, second) = (bench().await, bench().await);
    let id = async |bench: &Bench, dockerfile: &str| {
        bench.build("x:1", dockerfile).await.unwrap();
        bench.docker.inspect_image("x:1").await.unwrap().id
    };
    let one = id(&first, "FROM scratch\nCOPY . /\n").await;
    assert_eq!(one, id(&second, "FROM scratch\nCOPY . /\n").await);
    assert_ne!(one, id(&second, "FROM scratch\nCOPY a.txt /\n").await);
}

#[tokio::test]
async fn copy_puts_files_where_docker_would() {
    let bench = bench().await;
    let built = async |lines: &str| {
        bench.build("x", &format!("FROM scratch\n{lines}\n")).await.unwrap();
        bench.files("x").await
    };
    assert_eq!(built("COPY a.txt /b/c.txt").await, ["b/", "b/c.txt A"]);
    assert_eq!(built("COPY *.txt /t/").await, ["t/", "t/a.txt A", "t/b.txt B"]);
    assert_eq!(built("COPY folder /f").await, ["f/", "f/c.txt C", "f/deep/", "f/deep/d.txt D"]);
    assert_eq!(built("COPY --chown=5 [\"a.txt\", \"/a\"]").await, ["a (5) A"]);
    assert_eq!(built("WORKDIR /w\nCOPY a.txt ./").await, ["w/", "w/a.txt A"]);
    assert_eq!(
        built("COPY folder /src\nFROM scratch\nCOPY --from=0 /src/deep /out\nCOPY --from=x:latest /w/a.txt /")
            .await
            .len(),
        3
    );
}

#[tokio::test]
async fn an_image_built_here_can_be_built_on() {
    let bench = bench().await;
    bench.build("base:1", "FROM scratch\nCOPY folder /f\nENV A=1\n").await.unwrap();
    let dockerfile = "FROM base:1\nCOPY --from=base:1 /f/c.txt /copied\nENV B=$A\n";
    bench.build("x:1", dockerfile).await.unwrap();
    let image = bench.docker.inspect_image("x:1").await.unwrap();
    assert!(image.config.unwrap().env.unwrap().contains(&"B=1".to_owned()));
    assert!(bench.files("x:1").await.contains(&"copied C".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_built_is_refused_in_plain_words() {
    let bench = bench().await;
    for (dockerfile, message) in [
        ("FROM scratch\nFOO x\n", "dockerfile parse error line 2: unknown instruction: FOO"),
        ("", "cannot be empty"),
        ("FROM debian\n", "the embedded engine cannot pull images: line 1 builds on `debian`"),
        (
            "FROM scratch\nRUN make\n",
            "the embedded engine cannot run commands while it builds: line 2 is `RUN make`; install Docker",
        ),
        (
            "FROM scratch\nCOPY nope /\n",
            "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist",
        ),
        ("FROM scratch\nCOPY a.txt b.txt /x\n", "the destination must be a directory"),
        ("FROM scratch\nADD https://example.com/x /\n", "does not download"),
        ("FROM scratch\nCOPY --chown=joe a.txt /\n", "no such user: joe"),
        ("COPY a.txt /\n", "no build stage in current context"),
    ] {
        let said = bench.build("x:1", dockerfile).await.unwrap_err();
        assert!(said.contains(message), "{dockerfile}: {said}");
    }
}

#[tokio::test]
async fn a_refused_push_is_told_in_dockers_words() {
    let bench = bench().await;
    let authority = bench.registry.authority().to_owned();
    bench.build(&format!("{authority}/none:1"), "FROM scratch\nCOPY a.txt /\n").await.unwrap();
    let said = bench.push(&format!("{authority}/none"), "1").await.unwrap_err();
    assert!(
        said.contains("name unknown: The repository with name 'none' does not exist in the registry with id '123456789012'"),
        "{said}"
    );
    let said = bench.push(&format!("{authority}/none"), "2").await.unwrap_err();
    assert!(said.contains("An image does not exist locally with the tag"), "{said}");
    bench.build("127.0.0.1:1/x:1", "FROM scratch\nCOPY a.txt /\n").await.unwrap();
    let said = bench.push("127.0.0.1:1/x", "1").await.unwrap_err();
    assert!(said.contains("onnect"), "{said}");
    bench.build("example.com/x:1", "FROM scratch\nCOPY a.txt /\n").await.unwrap();
    let said = bench.push("example.com/x", "1").await.unwrap_err();
    assert!(said.contains("loopback"), "{said}");
}

#[tokio::test]
async fn the_docker_command_line_is_told_which_builder_this_is() {
    let engine = Engine::new();
    for path in ["/_ping", "/v1.41/_ping"] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = engine.clone().respond(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["builder-version"], "1");
        assert_eq!(response.headers()["api-version"], API_VERSION);
    }
    let request =
        Request::builder().method("POST").uri("/containers/create").body(Body::empty()).unwrap();
    assert_eq!(engine.respond(request).await.unwrap().status(), 501);
}

#[tokio::test]
#[ignore = "needs the docker command line"]
async fn real_docker_command_line_builds_pushes_and_inspects() {
    let bench = bench().await;
    let name = format!("{}/shop:cli", bench.registry.authority());
    let home = tempfile::tempdir().unwrap();
    let context = home.path().join("context");
    std::fs::create_dir(&context).unwrap();
    std::fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY a.txt /\nCMD [\"/a\"]\n")
        .unwrap();
    std::fs::write(context.join("a.txt"), "A").unwrap();
    let docker = async |arguments: &[&str]| {
        let output = tokio::process::Command::new("docker")
            .args(arguments)
            .env("DOCKER_HOST", format!("unix://{}/engine.sock", bench.folder.path().display()))
            .env("DOCKER_CONFIG", home.path())
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .await
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "docker {arguments:?}: {out}{err}");
        out
    };
    docker(&["version"]).await;
    docker(&["info"]).await;
    let said = docker(&["build", "-t", &name, &context.display().to_string()]).await;
    assert!(said.contains("Successfully tagged"), "{said}");
    let password = bench.registry.password(0);
    docker(&["login", "-u", "AWS", "-p", &password, bench.registry.authority()]).await;
    docker(&["push", &name]).await;
    let found = bench.registry.resolve(&name).unwrap();
    let said =
        docker(&["image", "inspect", "-f", "{{.RepoDigests}} {{.Architecture}}", &name]).await;
    assert!(said.contains(&found.digest) && said.contains("amd64"), "{said}");
    assert!(docker(&["images"]).await.contains("cli"));
    docker(&["rmi", &name]).await;
}
