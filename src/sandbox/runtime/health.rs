//! App Runner's health check, made against an instance.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::{HealthCheck, Probe};

/// Checks once.
pub(crate) async fn check(address: SocketAddr, check: &HealthCheck) -> Probe {
    match check {
        HealthCheck::Tcp { timeout } => tcp(address, *timeout).await,
        HealthCheck::Http { path, timeout } => http(address, path, *timeout).await,
    }
}

/// Checks a container once: a TCP check at the container's own address, where this host reaches it,
/// because Docker's port forwarder accepts for a container that listens nowhere. A virtual machine
/// between host and engine hides that address; then the published one has to do.
pub(crate) async fn check_container(
    own: Option<SocketAddr>,
    published: SocketAddr,
    check: &HealthCheck,
) -> Probe {
    let own = match (own, check) {
        (Some(own), HealthCheck::Tcp { timeout }) => listens(own, *timeout / 2).await,
        _ => None,
    };
    match own {
        Some(true) => Probe::Passed,
        Some(false) => Probe::Failed("connection refused".into()),
        None => self::check(published, check).await,
    }
}

/// Whether something listens there; nothing where the address cannot be reached.
async fn listens(address: SocketAddr, timeout: Duration) -> Option<bool> {
    match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Some(true),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Some(false),
        _ => None,
    }
}

async fn tcp(address: SocketAddr, timeout: Duration) -> Probe {
    match tokio::time::timeout(timeout, stays_open(address, timeout)).await {
        Err(_) => Probe::Failed(format!("no connection within {timeout:?}")),
        Ok(Err(failure)) => Probe::Failed(failure.to_string()),
        Ok(Ok(())) => Probe::Passed,
    }
}

/// Docker's port forwarder accepts for a container that listens nowhere, and hangs up at once:
/// a connection counts only when it is not closed by the other side straight away.
async fn stays_open(address: SocketAddr, timeout: Duration) -> std::io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let patience = timeout.min(HANG_UP_PATIENCE) / 2;
    let mut byte = [0];
    match tokio::time::timeout(patience, stream.peek(&mut byte)).await {
        Err(_) => Ok(()),
        Ok(Ok(count)) if count > 0 => Ok(()),
        Ok(_) => Err(std::io::Error::other("connection closed at once")),
    }
}

/// How long an accepted connection is watched before it counts.
const HANG_UP_PATIENCE: Duration = Duration::from_millis(800);

async fn http(address: SocketAddr, path: &str, timeout: Duration) -> Probe {
    // No pool and no redirects: each check is a request of its own, and only 200 is well.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(timeout)
        .build();
    let Ok(client) = client else { return Probe::Failed("no HTTP client".into()) };
    let path = path.trim_start_matches('/');
    match client.get(format!("http://{address}/{path}")).send().await {
        Ok(response) if response.status().as_u16() == 200 => Probe::Passed,
        Ok(response) => Probe::Failed(format!("answered {}", response.status())),
        Err(error) if error.is_timeout() => Probe::Failed(format!("no answer within {timeout:?}")),
        Err(error) if error.is_connect() => Probe::Failed("connection refused".into()),
        Err(error) => Probe::Failed(format!("no valid answer: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                if answer.is_empty() {
                    continue;
                }
                let mut sink = [0; 1024];
                let read = tokio::io::AsyncReadExt::read(&mut stream, &mut sink).await;
                if read.is_ok() {
                    drop(stream.write_all(answer.as_bytes()).await);
                }
            }
        });
        address
    }

    fn get(path: &str) -> HealthCheck {
        HealthCheck::Http { path: path.into(), timeout: PATIENCE }
    }

    #[tokio::test]
    async fn only_200_is_well() {
        for (answer, well) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", false),
            ("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", false),
            ("nonsense\r\n\r\n", false),
        ] {
            let result = check(answering(answer).await, &get("/healthz")).await;
            assert_eq!(result == Probe::Passed, well, "{answer} {result:?}");
        }
    }

    #[tokio::test]
    async fn a_container_that_listens_nowhere_is_not_saved_by_a_forwarder_that_accepts() {
        let tcp = HealthCheck::Tcp { timeout: PATIENCE };
        let forwarder = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let kept = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let published = kept.local_addr().unwrap();
        let refused = check_container(Some(forwarder), published, &tcp).await;
        assert_eq!(refused, Probe::Failed("connection refused".into()));
        assert_eq!(check_container(Some(published), published, &tcp).await, Probe::Passed);
        assert_eq!(check_container(None, published, &tcp).await, Probe::Passed);
    }

    #[tokio::test]
    async fn a_connection_that_is_refused_or_closed_at_once_is_not_well() {
        let tcp = HealthCheck::Tcp { timeout: PATIENCE };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(check(address, &tcp).await, Probe::Passed);
        drop(listener);
        assert!(matches!(check(address, &tcp).await, Probe::Failed(_)));
        assert_eq!(check(address, &get("/")).await, Probe::Failed("connection refused".into()));
        assert!(matches!(check(answering("").await, &tcp).await, Probe::Failed(_)));
    }
}
