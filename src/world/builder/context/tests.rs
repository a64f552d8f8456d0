use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::release::Values;

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn request(root: &Path) -> BuildRequest {
    BuildRequest {
        context: root.to_owned(),
        dockerfile: "Dockerfile".into(),
        arguments: Values::default(),
        target: None,
    }
}

/// A tree of files: path and content.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn archive(root: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    Context::open(&request(root)).unwrap().write(&mut bytes).unwrap();
    bytes
}

fn names(root: &Path) -> Vec<String> {
    tar::Archive::new(archive(root).as_slice())
        .entries()
        .unwrap()
        .map(|entry| String::from_utf8_lossy(&entry.unwrap().path_bytes()).into_owned())
        .collect()
}

fn hash(root: &Path) -> String {
    Context::open(&request(root)).unwrap().survey().unwrap().hash
}

fn refusal(root: &Path) -> (String, String) {
    match Context::open(&request(root)).and_then(|context| context.survey()) {
        Err(WorldError::Refused { code, message, .. }) => (code, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_ignored_secret_is_not_sent() {
    let root = tree(&[
        ("Dockerfile", "FROM scratch"),
        (".dockerignore", "secret.txt\n**/*.key\nnode_modules\n!node_modules/kept\n"),
        ("secret.txt", "hunter2"),
        ("a/b/x.key", "k"),
        ("a/b/x.txt", "x"),
        ("node_modules/kept/file", "k"),
        ("node_modules/lost/file", "l"),
        (".deploy-history/journal.redb", "j"),
        ("a/.deploy-history/journal.redb", "j"),
        ("elsewhere/journal.redb", "j"),
        ("elsewhere/FORMAT", "surefoot journal\nformat 1\n"),
        ("a/b/FORMAT", "surefoot"),
    ]);
    let expected = [
        ".dockerignore",
        "Dockerfile",
        "a",
        "a/b",
        "a/b/FORMAT",
        "a/b/x.txt",
        "node_modules",
        "node_modules/kept",
        "node_modules/kept/file",
    ];
    assert_eq!(names(root.path()), expected);
    let bytes = archive(root.path());
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
}

#[test]
fn exceptions_with_wildcards_reach_below_excluded_directories() {
    let root = tree(&[
        ("Dockerfile", ""),
        (".dockerignore", "*\n!**/*.py"),
        ("top.py", ""),
        ("src/deep/a.py", ""),
        ("src/deep/a.txt", ""),
        ("other/a.txt", ""),
    ]);
    let expected = [".dockerignore", "Dockerfile", "src", "src/deep", "src/deep/a.py", "top.py"];
    assert_eq!(names(root.path()), expected);
}

#[test]
fn the_dockerfiles_own_ignore_file_wins() {
    let root = tree(&[
        ("Dockerfile", ""),
        ("Dockerfile.dockerignore", "*\n!b"),
        (".dockerignore", "b"),
        ("a", ""),
        ("b", ""),
    ]);
    assert_eq!(names(root.path()), ["Dockerfile", "Dockerfile.dockerignore", "b"]);
}

#[test]
fn the_hash_is_of_the_tree_and_not_of_the_checkout() {
    let files = [("Dockerfile", "FROM scratch"), ("a/b", "content"), ("a/c", "")];
    let (one, two) = (tree(&files), tree(&files));
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::File::open(two.path().join("a/b")).unwrap().set_modified(old).unwrap();
    let before = hash(one.path());
    assert_eq!(before, hash(two.path()));
    assert_eq!(before.len(), 64);

    fs::set_permissions(two.path().join("a/b"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_ne!(before, hash(two.path()), "mode");
    fs::rename(one.path().join("a/c"), one.path().join("a/d")).unwrap();
    assert_ne!(before, hash(one.path()), "name");
    fs::rename(one.path().join("a/d"), one.path().join("a/c")).unwrap();
    assert_eq!(before, hash(one.path()));
    fs::write(one.path().join("a/b"), "c0ntent").unwrap();
    assert_ne!(before, hash(one.path()), "content");
    fs::write(one.path().join("a/b"), "content").unwrap();
    fs::create_dir(one.path().join("a/e")).unwrap();
    assert_ne!(before, hash(one.path()), "empty directory");
}

#[test]
fn the_hash_covers_every_input() {
    let root = tree(&[("Dockerfile", ""), ("other", "")]);
    let hash = |change: &dyn Fn(&mut BuildRequest)| {
        let mut request = request(root.path());
        change(&mut request);
        Context::open(&request).unwrap().survey().unwrap().hash
    };
    let plain = hash(&|_| ());
    assert_ne!(plain, hash(&|request| request.target = Some("x".into())));
    assert_ne!(plain, hash(&|request| request.dockerfile = "other".into()));
    assert_ne!(
        plain,
        hash(&|request| {
            request.arguments.insert("A".parse().unwrap(), "1".into());
        })
    );
    assert_eq!(plain, hash(&|request| request.dockerfile = "./Dockerfile".into()));
}

#[test]
fn the_archive_keeps_modes_times_and_links_and_forgets_owners() {
    let root = tree(&[("Dockerfile", ""), ("run.sh", "#!"), ("data", "d")]);
    let at = |name: &str| root.path().join(name);
    fs::set_permissions(at("run.sh"), fs::Permissions::from_mode(0o4751)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_001);
    fs::File::open(at("run.sh")).unwrap().set_modified(time).unwrap();
    fs::hard_link(at("data"), at("hard")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    std::os::unix::fs::symlink("../../../etc/passwd", at("escaping")).unwrap();
    std::os::unix::fs::symlink("./a//b/", at("odd")).unwrap();
    let long = "x/".repeat(90) + "end";
    std::os::unix::fs::symlink(&long, at("long")).unwrap();

    let bytes = archive(root.path());
    let mut seen = std::collections::BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0));
        let link = entry.link_name_bytes().map(|l| String::from_utf8(l.into_owned()).unwrap());
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let header = entry.header().clone();
        seen.insert(
            path,
            (header.entry_type(), header.mode().unwrap(), header.mtime().unwrap(), link),
        );
    }
    assert_eq!(seen["run.sh"].1, 0o4751);
    assert_eq!(seen["run.sh"].2, 1_500_000_001);
    assert_eq!(seen["hard"].0, tar::EntryType::Regular);
    let targets = [
        ("dangling", "nowhere"),
        ("loop", "loop"),
        ("escaping", "../../../etc/passwd"),
        ("odd", "./a//b/"),
        ("long", &long),
    ];
    for (name, target) in targets {
        assert_eq!(seen[name].0, tar::EntryType::Symlink, "{name}");
        assert_eq!(seen[name].3.as_deref(), Some(target), "{name}");
    }
}

#[test]
fn names_that_are_no_text_and_long_names_are_kept() {
    let root = tree(&[("Dockerfile", "")]);
    let odd = std::ffi::OsString::from_vec(vec![b'a', 0xff, 0xfe, b'z']);
    fs::write(root.path().join(&odd), "odd").unwrap();
    let long = format!("{}/{}/{}", "d".repeat(120), "e".repeat(120), "f".repeat(200));
    fs::create_dir_all(root.path().join(&long).parent().unwrap()).unwrap();
    fs::write(root.path().join(&long), "long").unwrap();
    let bytes = archive(root.path());
    let mut found = Vec::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path_bytes().into_owned();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        found.push((path, content));
    }
    assert!(found.contains(&(vec![b'a', 0xff, 0xfe, b'z'], "odd".into())));
    assert!(found.contains(&(long.into_bytes(), "long".into())));
}

#[test]
fn sockets_are_left_out_and_named() {
    let root = tree(&[("Dockerfile", "")]);
    let _listener = UnixListener::bind(root.path().join("app.sock")).unwrap();
    let sent = Context::open(&request(root.path())).unwrap().write(io::sink()).unwrap();
    assert_eq!(sent.sockets, [Path::new("app.sock")]);
    assert_eq!(sent.context.files, 1);
    assert_eq!(names(root.path()), ["Dockerfile"]);
}

#[test]
fn named_pipes_are_refused_unless_ignored() {
    let root = tree(&[("Dockerfile", ""), ("sub/x", "")]);
    let pipe = root.path().join("sub/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (code, message) = refusal(root.path());
    assert_eq!(code, "special-file");
    assert!(message.contains("sub/pipe is a named pipe"), "{message}");
    fs::write(root.path().join(".dockerignore"), "**/pipe").unwrap();
    assert!(Context::open(&request(root.path())).unwrap().survey().is_ok());
}

#[test]
fn what_is_missing_is_named() {
    let root = tree(&[("readme", ""), ("Dockerfile.prod", "")]);
    let (code, message) = refusal(root.path());
    assert_eq!(code, "no-dockerfile");
    assert!(message.contains(root.path().join("Dockerfile").to_str().unwrap()), "{message}");
    assert!(message.ends_with("found instead: Dockerfile.prod"), "{message}");

    assert_eq!(refusal(&root.path().join("absent")).0, "no-context");
    assert_eq!(refusal(&root.path().join("readme")).0, "no-context");
    assert_eq!(refusal(tempfile::tempdir().unwrap().path()).0, "empty-context");

    fs::create_dir(root.path().join("Dockerfile")).unwrap();
    assert_eq!(refusal(root.path()).0, "no-dockerfile");
}

#[test]
fn a_dockerfile_outside_the_context_is_refused() {
    let root = tree(&[("Dockerfile", ""), ("app/x", ""), ("app/inner/Dockerfile", "")]);
    let open = |dockerfile: &str| {
        let context = root.path().join("app");
        let dockerfile = dockerfile.to_owned();
        let request = BuildRequest { dockerfile, ..request(&context) };
        Context::open(&request).map(|context| context.dockerfile)
    };
    let absolute = root.path().canonicalize().unwrap();
    for outside in ["../Dockerfile", absolute.join("Dockerfile").to_str().unwrap(), "link"] {
        std::os::unix::fs::symlink("../Dockerfile", root.path().join("app/link")).ok();
        assert_eq!(open(outside).unwrap_err().code(), Some("dockerfile-outside-context"));
    }
    assert_eq!(open("inner/Dockerfile").unwrap(), "inner/Dockerfile");
    assert_eq!(open("./x/../inner/Dockerfile").unwrap_err().code(), Some("no-dockerfile"));
    let inside = absolute.join("app/inner/Dockerfile");
    assert_eq!(open(inside.to_str().unwrap()).unwrap(), "inner/Dockerfile");
}

#[test]
fn a_wrong_ignore_file_is_refused() {
    let root = tree(&[("Dockerfile", ""), (".dockerignore", "a\n[b")]);
    let (code, message) = refusal(root.path());
    assert_eq!(code, "bad-ignore-file");
    assert!(message.contains("[b"), "{message}");
    fs::remove_file(root.path().join(".dockerignore")).unwrap();
    fs::create_dir(root.path().join(".dockerignore")).unwrap();
    assert_eq!(refusal(root.path()).0, "bad-ignore-file");
}

/// Acts on the tree just before the archive reaches the file `trigger`.
fn meddled(root: &Path, meddle: impl Fn(usize)) -> WorldError {
    struct Meddler<F: Fn(usize)>(F, usize);
    impl<F: Fn(usize)> Write for Meddler<F> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0(self.1);
            self.1 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let context = Context::open(&request(root)).unwrap();
    unfit(context.write(Meddler(meddle, 0)).unwrap_err())
}

/// What somebody does to a file meanwhile.
type Change = fn(&Path);

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let big = "x".repeat(300_000);
    let changes: [(&str, Change); 4] = [
        ("it grew", |file| {
            let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
            file.write_all(b"more").unwrap();
        }),
        ("it shrank", |file| {
            fs::File::options().write(true).open(file).unwrap().set_len(10).unwrap();
        }),
        ("it was written to", |file| {
            let file = fs::File::options().write(true).open(file).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }),
        ("it vanished", |file| fs::remove_dir_all(file.parent().unwrap().join("z")).unwrap()),
    ];
    for (words, change) in changes {
        let root = tree(&[("Dockerfile", ""), ("big", &big), ("z/last", "")]);
        let file = root.path().join("big");
        let error = meddled(root.path(), |at| {
            if at > 100_000
                && file.metadata().unwrap().modified().unwrap() != SystemTime::UNIX_EPOCH
                && root.path().join("z").exists()
                && file.metadata().unwrap().len() == 300_000
            {
                change(&file);
            }
        });
        assert_eq!(error.code(), Some("context-changed"), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_listed_file_that_vanishes_is_refused() {
    let root = tree(&[("Dockerfile", ""), ("a", &"x".repeat(10_000)), ("b", "")]);
    let error = meddled(root.path(), |at| {
        if at > 1_000 {
            fs::remove_file(root.path().join("b")).ok();
        }
    });
    assert_eq!(error.code(), Some("context-changed"), "{error}");
    assert!(error.to_string().contains('b'), "{error}");
}

#[test]
fn an_unreadable_file_has_its_own_words() {
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let error = unreadable(Path::new("a/b"), &denied);
    assert_eq!(error.code(), Some("unreadable"));
    assert_eq!(
        error.to_string(),
        "unreadable: a/b cannot be read (permission denied); make it readable, or name it in the \
         ignore file"
    );
}

#[tokio::test]
async fn the_stream_is_the_archive() {
    use futures_util::StreamExt as _;
    let root = tree(&[("Dockerfile", ""), ("big", &"x".repeat(1_000_000))]);
    let expected = archive(root.path());
    let (stream, writer) = stream::start(Context::open(&request(root.path())).unwrap());
    let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(chunks.concat(), expected);
    assert!(matches!(writer.end(PATIENCE).await.unwrap(), stream::Ended::Whole(_)));
}

#[tokio::test]
async fn an_unfit_tree_ends_the_stream_in_an_error() {
    use futures_util::StreamExt as _;
    let root = tree(&[("Dockerfile", "")]);
    std::process::Command::new("mkfifo").arg(root.path().join("pipe")).status().unwrap();
    let (stream, writer) = stream::start(Context::open(&request(root.path())).unwrap());
    let chunks: Vec<_> = stream.collect().await;
    assert!(chunks.last().unwrap().is_err());
    assert!(matches!(writer.end(PATIENCE).await.unwrap(), stream::Ended::Unfit(_)));
}

#[tokio::test]
async fn a_reader_that_leaves_stops_the_writer() {
    use futures_util::StreamExt as _;
    let root = tree(&[("Dockerfile", ""), ("big", &"x".repeat(5_000_000))]);
    let (stream, writer) = stream::start(Context::open(&request(root.path())).unwrap());
    let mut stream = Box::pin(stream);
    assert!(stream.next().await.is_some());
    drop(stream);
    assert!(matches!(writer.end(PATIENCE).await.unwrap(), stream::Ended::Unwanted));
}

#[tokio::test]
async fn a_writer_that_nobody_reads_can_be_stopped() {
    let root = tree(&[("Dockerfile", ""), ("big", &"x".repeat(5_000_000))]);
    let (stream, writer) = stream::start(Context::open(&request(root.path())).unwrap());
    assert!(matches!(writer.end(Duration::ZERO).await.unwrap(), stream::Ended::Unwanted));
    drop(stream);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_ignore_file_makes_the_matcher_panic(text in "[a-c/*?!\\[\\]\\\\#. ^\\-\n~&<é]{0,40}", path in "[a-c/.é]{1,12}") {
        if let Ok(ignore) = Ignore::parse(&text, &["a/b"]) {
            let (excluded, inherited) = ignore.excludes(&path, &ignore::Inherited::default());
            let again = ignore.excludes(&path, &inherited);
            prop_assert!(excluded == again.0 || text.contains('!'));
        }
    }
}
