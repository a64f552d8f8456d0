//! Takes the configuration file from the disk. All decisions about its content are elsewhere.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use super::file::File;
use super::finding::{Place, unusable};
use super::parse::parse;
use crate::problem::Problem;

/// The name the file is looked for.
pub const FILE_NAME: &str = "surefoot.toml";

/// A configuration is written by hand; what is larger is something else.
pub const SIZE_LIMIT: u64 = 1024 * 1024;

/// Reads the configuration file at `path`; nothing where there is none.
pub fn load(path: &Path) -> Result<Option<File>, Problem> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
    parse(path, &text).map(Some)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(path, &error) => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a directory" } else { "no regular file" };
        return Err(unusable(path).because(format!("it is {kind}")));
    }
    let mut bytes = Vec::new();
    OpenOptions::new()
        .read(true)
        .open(path)
        .and_then(|file| file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(unusable(path).because("it is larger than 1 MiB"));
    }
    Ok(Some(bytes))
}

/// A link that leads nowhere is a mistake and not an absent file.
fn is_absent(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err()
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    unusable(path).because(error).hint("make it readable, or move it away to do without")
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Problem {
    let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
    let place = Place::of(&String::from_utf8_lossy(good), good.len());
    unusable(path)
        .because(format!("{place}: not UTF-8"))
        .hint("save it as UTF-8 in your editor, then run the same command again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    fn reason(path: &Path) -> String {
        let problem = load(path).unwrap_err();
        assert_eq!(problem.exit, crate::problem::ExitCode::Usage);
        problem.because.join("\n")
    }

    #[test]
    fn an_absent_file_is_no_problem_and_a_good_one_is_read() {
        let (directory, path) = written(b"service_name = \"shop\"\n");
        assert_eq!(load(&path).unwrap().unwrap().top.scalar("service_name"), Some("shop"));
        assert_eq!(load(&directory.path().join("absent")), Ok(None));
        assert_eq!(load(&directory.path().join("absent/deeper")), Ok(None));
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        assert!(reason(directory.path()).contains("a directory"));
        let circle = directory.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        assert!(!reason(&circle).is_empty());
        let nowhere = directory.path().join("nowhere");
        std::os::unix::fs::symlink("missing", &nowhere).unwrap();
        assert!(!reason(&nowhere).is_empty());
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(reason(&socket).contains("no regular file"));
        assert!(reason(Path::new("/dev/zero")).contains("no regular file"));
    }

    #[test]
    fn a_file_that_is_too_large_is_refused() {
        let limit = usize::try_from(SIZE_LIMIT).unwrap();
        let (_directory, path) = written(&vec![b'\n'; limit]);
        assert!(load(&path).is_ok());
        let (_directory, path) = written(&vec![b'\n'; limit + 1]);
        assert!(reason(&path).contains("1 MiB"));
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_place() {
        let (_directory, path) = written(b"latest = true\nregion = \"\xff\xfe\"\n");
        assert!(reason(&path).contains("line 2, column 11: not UTF-8"));
    }
}
