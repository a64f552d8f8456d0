//! The way to the engine.

use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use http::HeaderValue;

use super::address::{Address, Search, Surroundings, search};
use super::failure::causes;
use super::greeting::{Greeting, greet};
use crate::world::{Obstacle, Place, WorldError};

/// How long the engine may take to begin an answer. The classic builder begins only once it has
/// read the whole context.
const PATIENCE: Duration = Duration::from_hours(2);

/// An engine that answered.
pub(super) struct Connection {
    /// The client.
    pub(super) docker: Docker,
    /// Where it is.
    pub(super) address: String,
    /// Whether it builds with BuildKit.
    pub(super) offers_buildkit: bool,
}

/// Finds the engine and says hello.
pub(super) async fn connect(surroundings: &Surroundings) -> Result<Connection, WorldError> {
    let mut connection = found(surroundings).await?;
    connection.offers_buildkit &= !surroundings.wants_classic_builder();
    Ok(connection)
}

async fn found(surroundings: &Surroundings) -> Result<Connection, WorldError> {
    match search(surroundings)? {
        Search::Told { address, by } => match greet(&address).await {
            Ok(greeting) => open(&address, &greeting).await,
            Err(error) => Err(silent(&[(address, error)], &format!(" (from {by})"))),
        },
        Search::Usual(places) => first_of(places).await,
    }
}

/// The first usual place where an engine answers.
async fn first_of(places: Vec<Address>) -> Result<Connection, WorldError> {
    let mut failures = Vec::new();
    for address in places {
        match greet(&address).await {
            Ok(greeting) => return open(&address, &greeting).await,
            Err(error) => failures.push((address, error)),
        }
    }
    // The default socket is the one to name; others only where something is there.
    let default = failures.swap_remove(0);
    failures.retain(|(_, error)| error.kind() != io::ErrorKind::NotFound);
    failures.insert(0, default);
    Err(silent(&failures, ""))
}

/// Says why nothing answers.
fn silent(failures: &[(Address, io::Error)], told: &str) -> WorldError {
    let reason: Vec<String> =
        failures.iter().map(|(address, error)| cause(address, told, error)).collect();
    WorldError::Unreachable {
        place: Place::Docker,
        obstacle: Obstacle::NotRunning,
        reason: reason.join("; "),
    }
}

fn cause(address: &Address, told: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "your user may not use {address}{told}: permission denied; add it to the group \
             `docker` (sudo usermod -aG docker $USER, then log in again)"
        ),
        io::ErrorKind::NotFound => format!("nothing is at {address}{told}: no such socket"),
        io::ErrorKind::ConnectionRefused => {
            format!("no engine answers at {address}{told}: connection refused")
        }
        _ => format!("no engine answers at {address}{told}: {}", causes(error)),
    }
}

async fn open(address: &Address, greeting: &Greeting) -> Result<Connection, WorldError> {
    let version = API_DEFAULT_VERSION;
    let seconds = PATIENCE.as_secs();
    let docker = match address {
        Address::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), seconds, version),
        Address::Tcp(host) => Docker::connect_with_http(host, seconds, version),
        Address::Tls(host, directory) => {
            let [key, certificate, authority] = certificates(directory)?;
            Docker::connect_with_ssl(host, &key, &certificate, &authority, seconds, version)
        }
    };
    let docker = docker
        .map_err(|error| silent(&[(address.clone(), io::Error::other(causes(&error)))], ""))?
        .with_request_modifier(with_safe_login);
    let offers_buildkit = match address {
        Address::Tls(..) => offers_buildkit_behind_tls(&docker, address).await?,
        _ => greeting.offers_buildkit(),
    };
    Ok(Connection { docker, address: address.to_string(), offers_buildkit })
}

/// `key.pem`, `cert.pem` and `ca.pem`, once they are known to be there.
fn certificates(directory: &Path) -> Result<[std::path::PathBuf; 3], WorldError> {
    let files = ["key.pem", "cert.pem", "ca.pem"].map(|name| directory.join(name));
    match files.iter().find(|file| !file.is_file()) {
        None => Ok(files),
        Some(missing) => {
            let message = format!(
                "TLS to Docker needs {}, which is not there; DOCKER_CERT_PATH names the directory",
                missing.display()
            );
            Err(WorldError::refused(Place::Docker, "docker-certificates", message))
        }
    }
}

/// Behind TLS the headers are out of reach; the version says enough.
async fn offers_buildkit_behind_tls(
    docker: &Docker,
    address: &Address,
) -> Result<bool, WorldError> {
    let version = docker
        .version()
        .await
        .map_err(|error| silent(&[(address.clone(), io::Error::other(causes(&error)))], ""))?;
    let is_docker = version.components.into_iter().flatten().any(|part| part.name == "Engine");
    let minor = version.api_version.as_deref().and_then(|api| api.strip_prefix("1.")?.parse().ok());
    Ok(is_docker && minor >= Some(39))
}

/// The engine reads logins in the URL-safe alphabet of base64 and takes a login it cannot read for
/// none at all; bollard writes the standard one.
fn with_safe_login(mut request: BollardRequest) -> BollardRequest {
    for name in ["X-Registry-Auth", "X-Registry-Config"] {
        let safe = request.headers().get(name).and_then(|login| {
            let login = STANDARD.decode(login.as_bytes()).ok()?;
            HeaderValue::from_str(&URL_SAFE.encode(login)).ok()
        });
        if let Some(mut safe) = safe {
            safe.set_sensitive(true);
            request.headers_mut().insert(name, safe);
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_written_in_the_safe_alphabet() {
        let login = r#"{"password":"~~~>>>???"}"#;
        let mut request = http::Request::new(bollard::body_full(bytes::Bytes::new()));
        let header = STANDARD.encode(login);
        assert!(header.contains(['+', '/']), "the case must be one where the alphabets differ");
        request.headers_mut().insert("X-Registry-Auth", header.parse().unwrap());
        let request = with_safe_login(request);
        let sent = request.headers()["X-Registry-Auth"].as_bytes();
        assert_eq!(URL_SAFE.decode(sent).unwrap(), login.as_bytes());
    }

    fn surroundings(root: &Path) -> Surroundings {
        Surroundings { root: root.into(), ..Surroundings::default() }
    }

    async fn reason(surroundings: &Surroundings) -> String {
        match connect(surroundings).await {
            Err(WorldError::Unreachable {
                place: Place::Docker,
                obstacle: Obstacle::NotRunning,
                reason,
            }) => reason,
            Err(other) => panic!("{other:?}"),
            Ok(connection) => panic!("{}", connection.address),
        }
    }

    #[tokio::test]
    async fn a_missing_engine_is_named_with_its_address() {
        let root = tempfile::tempdir().unwrap();
        let words = reason(&surroundings(root.path())).await;
        let socket = root.path().join("var/run/docker.sock");
        assert_eq!(words, format!("nothing is at unix://{}: no such socket", socket.display()));
    }

    #[tokio::test]
    async fn a_socket_nobody_listens_on_is_named_beside_the_default() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("run/podman")).unwrap();
        drop(std::os::unix::net::UnixListener::bind(root.path().join("run/podman/podman.sock")));
        let words = reason(&surroundings(root.path())).await;
        assert!(words.contains("podman.sock: connection refused"), "{words}");
        assert!(words.starts_with("nothing is at"), "{words}");
    }

    #[tokio::test]
    async fn what_was_named_is_the_only_place_asked() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut told = Surroundings::of_this_process();
        told.variables.insert("DOCKER_HOST".into(), format!("tcp://{address}"));
        let words = reason(&told).await;
        let expected =
            format!("no engine answers at tcp://{address} (from DOCKER_HOST): connection refused");
        assert_eq!(words, expected);
    }

    #[test]
    fn a_forbidden_socket_has_its_own_words() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let words = cause(&Address::Unix("/var/run/docker.sock".into()), "", &denied);
        assert!(words.starts_with("your user may not use unix:///var/run/docker.sock"), "{words}");
    }

    #[tokio::test]
    async fn missing_certificates_are_named() {
        let mut told = surroundings(Path::new("/"));
        for (name, value) in [
            ("DOCKER_HOST", "tcp://127.0.0.1:1"),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", "/nowhere"),
        ] {
            told.variables.insert(name.into(), value.into());
        }
        let error = connect(&told).await.err().unwrap();
        assert_eq!(error.code(), Some("docker-certificates"));
        assert!(error.to_string().contains("/nowhere/key.pem"), "{error}");
    }
}
