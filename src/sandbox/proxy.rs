//! One stable loopback address per service, and what stands behind it right now.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::body::Body;
use http::{Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::serve::{HangUp, serve};

/// Where a service's requests go; nothing while there is no healthy instance.
type Target = Arc<RwLock<Option<SocketAddr>>>;

/// The addresses of all services of one sandbox.
#[derive(Debug, Default)]
pub struct Proxies {
    open: Mutex<BTreeMap<String, Proxy>>,
    /// Ports of an earlier life, so that printed links go on working.
    remembered: Mutex<BTreeMap<String, u16>>,
}

#[derive(Debug)]
struct Proxy {
    port: u16,
    target: Target,
    serving: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxies {
    /// Proxies that take the ports of an earlier run where they are still free.
    pub fn remembering(ports: BTreeMap<String, u16>) -> Self {
        Self { open: Mutex::default(), remembered: Mutex::new(ports) }
    }

    /// The port of each service, to be remembered.
    pub fn ports(&self) -> BTreeMap<String, u16> {
        let mut ports = lock(&self.remembered).clone();
        ports.extend(lock(&self.open).iter().map(|(id, proxy)| (id.clone(), proxy.port)));
        ports
    }

    /// The service's address; opened when asked first.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn address(&self, service_id: &str) -> io::Result<SocketAddr> {
        if let Some(proxy) = lock(&self.open).get(service_id) {
            return Ok((Ipv4Addr::LOCALHOST, proxy.port).into());
        }
        let wished = lock(&self.remembered).get(service_id).copied().unwrap_or(0);
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, wished)).await {
            Ok(listener) => listener,
            Err(_) if wished != 0 => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            Err(failure) => return Err(failure),
        };
        let address = listener.local_addr()?;
        let mut open = lock(&self.open);
        // Somebody else may have opened it meanwhile: the first one stays.
        let proxy = open
            .entry(service_id.to_owned())
            .or_insert_with(|| Proxy::start(listener, address.port()));
        Ok((Ipv4Addr::LOCALHOST, proxy.port).into())
    }

    /// Sends new requests elsewhere from now on; requests under way end where they began.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn route(&self, service_id: &str, to: Option<SocketAddr>) -> io::Result<()> {
        self.address(service_id).await?;
        if let Some(proxy) = lock(&self.open).get(service_id) {
            *proxy.target.write().unwrap_or_else(PoisonError::into_inner) = to;
        }
        Ok(())
    }

    /// The same; where no port can be had, the service has no address, and that is logged.
    pub async fn point(&self, service_id: &str, to: Option<SocketAddr>) {
        if let Err(error) = self.route(service_id, to).await {
            tracing::warn!(service_id, %error, "no address for the service");
        }
    }

    /// The service's address as a text; one that nobody can listen on where no port can be had.
    pub async fn url(&self, service_id: &str) -> String {
        match self.address(service_id).await {
            Ok(address) => address.to_string(),
            Err(error) => {
                tracing::warn!(service_id, %error, "no address for the service");
                "127.0.0.1:0".to_owned()
            }
        }
    }

    /// Closes all addresses.
    pub fn close(&self) {
        lock(&self.open).clear();
    }
}

impl Proxy {
    fn start(listener: TcpListener, port: u16) -> Self {
        let target = Target::default();
        let client: Client<HttpConnector, Body> =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let seen = Arc::clone(&target);
        let service = move |request: Request<Incoming>| {
            let to = *seen.read().unwrap_or_else(PoisonError::into_inner);
            let client = client.clone();
            async move { Ok::<_, HangUp>(forward(&client, to, request).await) }
        };
        Self { port, target, serving: tokio::spawn(serve(listener, Arc::new(service))) }
    }
}

/// App Runner's front is an Envoy: the texts are Envoy's.
async fn forward(
    client: &Client<HttpConnector, Body>,
    to: Option<SocketAddr>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Some(to) = to else { return plain(StatusCode::NOT_FOUND, "404 page not found\n") };
    let Some(request) = readdress(request, to) else {
        return plain(StatusCode::BAD_REQUEST, "bad request target");
    };
    match client.request(request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
        ),
    }
}

fn readdress(request: Request<Incoming>, to: SocketAddr) -> Option<Request<Body>> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::builder()
        .scheme("http")
        .authority(to.to_string())
        .path_and_query(path)
        .build()
        .ok()?;
    parts.headers.insert("x-forwarded-proto", header::HeaderValue::from_static("http"));
    parts.headers.insert("x-forwarded-for", header::HeaderValue::from_static("127.0.0.1"));
    parts.headers.remove(header::CONNECTION);
    Some(Request::from_parts(parts, Body::new(body)))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::SERVER, header::HeaderValue::from_static("envoy"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Notify;

    /// An instance that answers with its name; `/slow` waits until it is released.
    async fn instance(
        name: &'static str,
        release: Arc<Notify>,
        entered: Arc<Notify>,
    ) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = move |request: Request<Incoming>| {
            let (release, entered) = (Arc::clone(&release), Arc::clone(&entered));
            async move {
                if request.uri().path() == "/slow" {
                    entered.notify_one();
                    release.notified().await;
                }
                Ok::<_, HangUp>(Response::new(Body::from(name)))
            }
        };
        tokio::spawn(serve(listener, Arc::new(service)));
        address
    }

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn the_address_stays_while_the_target_changes_and_open_requests_end_where_they_began() {
        let (release, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let old = instance("old", Arc::clone(&release), Arc::clone(&entered)).await;
        let new = instance("new", Arc::clone(&release), Arc::clone(&entered)).await;
        let proxies = Proxies::default();
        let address = proxies.address("s").await.unwrap();
        assert_eq!(get(address, "/").await, (404, "404 page not found\n".into()));
        proxies.route("s", Some(old)).await.unwrap();
        let slow = tokio::spawn(get(address, "/slow"));
        entered.notified().await;
        proxies.route("s", Some(new)).await.unwrap();
        assert_eq!(get(address, "/?a=1").await, (200, "new".into()));
        release.notify_one();
        assert_eq!(slow.await.unwrap(), (200, "old".into()));
        assert_eq!(proxies.address("s").await.unwrap(), address);
    }

    #[tokio::test]
    async fn a_target_that_is_gone_is_answered_as_envoy_does() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let gone = listener.local_addr().unwrap();
        drop(listener);
        let proxies = Proxies::default();
        proxies.route("s", Some(gone)).await.unwrap();
        let address = proxies.address("s").await.unwrap();
        let (status, text) = get(address, "/").await;
        assert_eq!(status, 503);
        assert!(text.starts_with("upstream connect error"));
    }

    #[tokio::test]
    async fn ports_are_remembered_where_they_are_free() {
        let proxies = Proxies::default();
        let address = proxies.address("s").await.unwrap();
        let ports = proxies.ports();
        let taken = Proxies::remembering(ports.clone()).address("s").await.unwrap();
        assert_ne!(taken, address);
        drop(proxies);
        // The listener closes when its task is next polled.
        tokio::task::yield_now().await;
        assert_eq!(Proxies::remembering(ports).address("s").await.unwrap(), address);
    }
}
