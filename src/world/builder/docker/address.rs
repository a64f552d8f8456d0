//! Where the engine may be: variables, contexts and the usual sockets.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::text::printable;
use crate::world::{Place, WorldError};

/// What the search for an engine depends on, as a value.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The user's numeric id, for `/run/user/ID`.
    pub user: Option<u32>,
    /// What absolute default sockets are relative to: `/`, but for tests.
    pub root: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
                .collect(),
            user: fs::metadata("/proc/self").ok().map(|metadata| metadata.uid()),
            root: "/".into(),
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether somebody wants the classic builder, in the words of Docker's own client:
    /// `DOCKER_BUILDKIT=0`.
    pub(super) fn wants_classic_builder(&self) -> bool {
        matches!(
            self.variable("DOCKER_BUILDKIT"),
            Some("0" | "false" | "f" | "F" | "False" | "FALSE")
        )
    }

    fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new)
    }

    /// Docker's own directory of settings.
    pub(super) fn configuration(&self) -> Option<PathBuf> {
        match self.variable("DOCKER_CONFIG") {
            Some(directory) => Some(directory.into()),
            None => self.home().map(|home| home.join(".docker")),
        }
    }
}

/// How an engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A socket file.
    Unix(PathBuf),
    /// `host:port`, in the clear.
    Tcp(String),
    /// `host:port` behind TLS, with the directory of `ca.pem`, `cert.pem` and `key.pem`.
    Tls(String, PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host) | Self::Tls(host, _) => write!(f, "tcp://{host}"),
        }
    }
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Search {
    /// Somebody said where: there and nowhere else.
    Told {
        /// The address.
        address: Address,
        /// Who said so, such as `DOCKER_HOST`.
        by: String,
    },
    /// Nobody said: the usual places, best first.
    Usual(Vec<Address>),
}

/// Decides as Docker's own client does: `DOCKER_HOST`, then `DOCKER_CONTEXT`, then the context
/// chosen in `config.json`, then the default socket. What follows it is ours: other engines' usual
/// sockets. Source: docker/cli, `resolveContextName`.
pub(super) fn search(surroundings: &Surroundings) -> Result<Search, WorldError> {
    if let Some(host) = surroundings.variable("DOCKER_HOST") {
        let certificates = tls_directory(surroundings);
        let address = parse(host, certificates, "DOCKER_HOST")?;
        return Ok(Search::Told { address, by: "DOCKER_HOST".into() });
    }
    let chosen = match surroundings.variable("DOCKER_CONTEXT") {
        Some(name) => Some((name.to_owned(), "DOCKER_CONTEXT")),
        None => current_context(surroundings)?.map(|name| (name, "config.json")),
    };
    match chosen {
        Some((name, by)) if name != "default" => {
            let address = context(surroundings, &name, by)?;
            Ok(Search::Told { address, by: format!("the Docker context `{}`", shown(&name)) })
        }
        _ => Ok(Search::Usual(usual(surroundings))),
    }
}

fn shown(text: &str) -> String {
    printable(text, 200)
}

fn refused(code: &str, message: impl Into<String>) -> WorldError {
    WorldError::refused(Place::Docker, code, message)
}

/// The certificates' directory, where TLS is wanted. Source: docker/cli, `DOCKER_TLS_VERIFY`.
fn tls_directory(surroundings: &Surroundings) -> Option<PathBuf> {
    surroundings.variable("DOCKER_TLS_VERIFY")?;
    surroundings
        .variable("DOCKER_CERT_PATH")
        .map(PathBuf::from)
        .or_else(|| surroundings.configuration())
}

fn parse(host: &str, certificates: Option<PathBuf>, by: &str) -> Result<Address, WorldError> {
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    let server = rest.trim_end_matches('/').to_owned();
    match (scheme, certificates) {
        ("unix", _) if rest.starts_with('/') => Ok(Address::Unix(rest.into())),
        ("https", None) => Err(refused(
            "docker-address",
            format!("{by} is {}: TLS needs DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH", shown(host)),
        )),
        ("tcp" | "http" | "https", Some(directory)) if !server.is_empty() => {
            Ok(Address::Tls(server, directory))
        }
        ("tcp" | "http", None) if !server.is_empty() => Ok(Address::Tcp(server)),
        ("ssh", _) => Err(refused("docker-address", ssh(host, by))),
        _ => Err(refused(
            "docker-address",
            format!(
                "{by} is {}, which is no address of an engine; it looks like \
                 unix:///var/run/docker.sock or tcp://127.0.0.1:2375",
                shown(host)
            ),
        )),
    }
}

fn ssh(host: &str, by: &str) -> String {
    format!(
        "{by} is {0}: surefoot does not speak ssh itself. Forward the socket and name it: \
         ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock {1} & \
         export DOCKER_HOST=unix:///tmp/docker.sock",
        shown(host),
        shown(host.trim_start_matches("ssh://"))
    )
}

/// The context that `docker context use` chose.
fn current_context(surroundings: &Surroundings) -> Result<Option<String>, WorldError> {
    let Some(directory) = surroundings.configuration() else { return Ok(None) };
    let file = directory.join("config.json");
    let Ok(text) = fs::read(&file) else { return Ok(None) };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| {
        refused("docker-config", format!("{} is not JSON: {error}", file.display()))
    })?;
    let name = value.get("currentContext").and_then(serde_json::Value::as_str).unwrap_or_default();
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// The address a context names. Source: docker/cli, `cli/context/store`.
fn context(surroundings: &Surroundings, name: &str, by: &str) -> Result<Address, WorldError> {
    let missing = |reason: String| {
        let message = format!(
            "the Docker context `{}` (from {by}) {reason}; `docker context ls` shows which exist",
            shown(name)
        );
        refused("docker-context", message)
    };
    let contexts = surroundings
        .configuration()
        .ok_or_else(|| missing("has no home directory to be in".into()))?
        .join("contexts");
    let id = hex::encode(Sha256::digest(name.as_bytes()));
    let file = contexts.join("meta").join(&id).join("meta.json");
    let text = fs::read(&file)
        .map_err(|error| missing(format!("is not at {} ({})", file.display(), error.kind())))?;
    let meta: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| missing(format!("is broken: {error}")))?;
    let host = meta
        .pointer("/Endpoints/docker/Host")
        .and_then(serde_json::Value::as_str)
        .ok_or_else(|| missing("names no engine".into()))?;
    let certificates = contexts.join("tls").join(&id).join("docker");
    parse(host, certificates.is_dir().then_some(certificates), &format!("the context `{name}`"))
}

/// The usual sockets: Docker's own, then those of the user, then Podman's.
fn usual(surroundings: &Surroundings) -> Vec<Address> {
    let absolute = |path: &str| surroundings.root.join(path.trim_start_matches('/'));
    let of_home = |path: &str| surroundings.home().map(|home| home.join(path));
    let of_runtime = |path: &str| {
        let named = surroundings.variable("XDG_RUNTIME_DIR").map(PathBuf::from);
        let standard = surroundings.user.map(|user| absolute(&format!("run/user/{user}")));
        named.or(standard).map(|directory| directory.join(path))
    };
    [
        Some(absolute("var/run/docker.sock")),
        of_runtime("docker.sock"),
        of_home(".docker/run/docker.sock"),
        of_home(".docker/desktop/docker.sock"),
        of_home(".colima/default/docker.sock"),
        of_runtime("podman/podman.sock"),
        Some(absolute("run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .map(Address::Unix)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
        let variables = variables.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        Surroundings { variables, user: Some(1000), root: "/".into() }
    }

    fn told(variables: &[(&str, &str)]) -> String {
        match search(&surroundings(variables)) {
            Ok(Search::Told { address: Address::Tls(host, directory), .. }) => {
                format!("tls {host} {}", directory.display())
            }
            Ok(Search::Told { address, .. }) => address.to_string(),
            Ok(Search::Usual(_)) => "usual".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn docker_host_says_where() {
        for (host, expected) in [
            ("unix:///run/x.sock", "unix:///run/x.sock"),
            ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("tcp://127.0.0.1:2375/", "tcp://127.0.0.1:2375"),
            ("http://h:1", "tcp://h:1"),
            ("127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("", "usual"),
        ] {
            assert_eq!(told(&[("DOCKER_HOST", host)]), expected, "{host}");
        }
        for bad in ["unix://relative", "npipe:////./pipe/docker", "gopher://x", "tcp://", "fd://"] {
            assert!(told(&[("DOCKER_HOST", bad)]).starts_with("docker-address: DOCKER_HOST is"));
        }
    }

    #[test]
    fn ssh_is_refused_with_the_way_around() {
        let words = told(&[("DOCKER_HOST", "ssh://me@build")]);
        assert!(words.contains("-L /tmp/docker.sock:/var/run/docker.sock me@build"), "{words}");
    }

    #[test]
    fn tls_is_wanted_by_variable() {
        let host = ("DOCKER_HOST", "tcp://h:2376");
        let verify = ("DOCKER_TLS_VERIFY", "1");
        assert_eq!(told(&[host, verify, ("DOCKER_CERT_PATH", "/c")]), "tls h:2376 /c");
        assert_eq!(told(&[host, verify, ("HOME", "/h")]), "tls h:2376 /h/.docker");
        assert_eq!(told(&[host, ("DOCKER_CERT_PATH", "/c")]), "tcp://h:2376");
        assert!(told(&[("DOCKER_HOST", "https://h:1")]).contains("DOCKER_TLS_VERIFY=1"));
    }

    fn home_with_context(name: &str, host: &str, current: Option<&str>) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let id = hex::encode(Sha256::digest(name.as_bytes()));
        let meta = home.path().join(".docker/contexts/meta").join(id);
        fs::create_dir_all(&meta).unwrap();
        let text = serde_json::json!({"Name": name, "Endpoints": {"docker": {"Host": host}}});
        fs::write(meta.join("meta.json"), text.to_string()).unwrap();
        let config = serde_json::json!({"currentContext": current.unwrap_or_default()});
        fs::write(home.path().join(".docker/config.json"), config.to_string()).unwrap();
        home
    }

    #[test]
    fn contexts_say_where() {
        let home = home_with_context("colima", "unix:///c.sock", Some("colima"));
        let home_variable = ("HOME", home.path().to_str().unwrap());
        assert_eq!(told(&[home_variable]), "unix:///c.sock");
        assert_eq!(told(&[home_variable, ("DOCKER_CONTEXT", "default")]), "usual");
        assert_eq!(told(&[home_variable, ("DOCKER_HOST", "tcp://h:1")]), "tcp://h:1");
        let absent = told(&[home_variable, ("DOCKER_CONTEXT", "absent")]);
        assert!(absent.contains("the Docker context `absent` (from DOCKER_CONTEXT)"), "{absent}");

        let id = hex::encode(Sha256::digest(b"colima"));
        let tls = home.path().join(".docker/contexts/tls").join(&id).join("docker");
        fs::create_dir_all(&tls).unwrap();
        assert_eq!(told(&[home_variable]), "unix:///c.sock");
        let configuration = home.path().join(".docker");
        let moved = ("DOCKER_CONFIG", configuration.to_str().unwrap());
        assert_eq!(told(&[moved]), "unix:///c.sock");
        fs::write(configuration.join("config.json"), "{").unwrap();
        assert!(told(&[moved]).starts_with("docker-config"));
    }

    #[test]
    fn the_usual_places_in_order() {
        let variables = [("HOME", "/h"), ("XDG_RUNTIME_DIR", "/x")];
        let Search::Usual(places) = search(&surroundings(&variables)).unwrap() else { panic!() };
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        assert_eq!(
            places,
            [
                "unix:///var/run/docker.sock",
                "unix:///x/docker.sock",
                "unix:///h/.docker/run/docker.sock",
                "unix:///h/.docker/desktop/docker.sock",
                "unix:///h/.colima/default/docker.sock",
                "unix:///x/podman/podman.sock",
                "unix:///run/podman/podman.sock",
            ]
        );
        let Search::Usual(places) = search(&surroundings(&[])).unwrap() else { panic!() };
        assert_eq!(places[1].to_string(), "unix:///run/user/1000/docker.sock");
    }
}
