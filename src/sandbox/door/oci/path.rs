//! Reads the paths of the distribution API. Repository names have slashes, so the end decides.

/// What a path is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) repository: String,
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Base,
    Tags,
    /// By tag or digest.
    Manifest(String),
    /// By digest.
    Blob(String),
    Uploads,
    /// By the id of the upload.
    Upload(String),
}

pub(super) fn parse(path: &str) -> Option<Target> {
    let rest = path.strip_prefix("/v2")?;
    if matches!(rest, "" | "/") {
        return Some(Target { repository: String::new(), place: Place::Base });
    }
    let parts: Vec<&str> = rest.strip_prefix('/')?.split('/').collect();
    let (name, place) = match parts.as_slice() {
        [name @ .., "tags", "list"] => (name, Place::Tags),
        [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
            (name, Place::Uploads)
        }
        [name @ .., "blobs", "uploads", id] => (name, Place::Upload((*id).to_owned())),
        [name @ .., "blobs", digest] => (name, Place::Blob((*digest).to_owned())),
        [name @ .., "manifests", reference] => (name, Place::Manifest((*reference).to_owned())),
        _ => return None,
    };
    (!name.is_empty()).then(|| Target { repository: name.join("/"), place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_path_decides() {
        let parsed = |path: &str| parse(path).map(|target| (target.repository, target.place));
        let some = |name: &str, place| Some((name.to_owned(), place));
        assert_eq!(parsed("/v2/"), some("", Place::Base));
        assert_eq!(parsed("/v2/a/b/tags/list"), some("a/b", Place::Tags));
        assert_eq!(parsed("/v2/a/blobs/uploads/"), some("a", Place::Uploads));
        assert_eq!(parsed("/v2/a/blobs/uploads/7"), some("a", Place::Upload("7".into())));
        assert_eq!(
            parsed("/v2/blobs/blobs/sha256:1"),
            some("blobs", Place::Blob("sha256:1".into()))
        );
        assert_eq!(parsed("/v2/a/manifests/v1"), some("a", Place::Manifest("v1".into())));
        for none in ["/", "/v1/", "/v2/manifests/v1", "/v2/a", "/v2/a/manifests"] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }
}
