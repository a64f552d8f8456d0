use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn limits() -> Limits {
    Limits { timeout: Duration::from_secs(10), body_bytes: 1000, redirects: 3 }
}

fn brief() -> Limits {
    Limits { timeout: Duration::from_millis(300), ..limits() }
}

/// A server that does the same with every connection, once it has read a request.
async fn server<F, Fut>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 8192];
            let _read = socket.read(&mut request).await;
            // A client that leaves in the middle is part of some tests.
            tokio::spawn(serve(socket));
        }
    });
    address
}

async fn says(text: impl AsRef<[u8]> + Clone + Send + 'static) -> SocketAddr {
    server(move |mut socket| {
        let text = text.clone();
        async move {
            socket.write_all(text.as_ref()).await?;
            socket.shutdown().await
        }
    })
    .await
}

async fn get(address: &str, limits: &Limits) -> Response {
    // Without the proxies of the machine that runs the tests, also for names elsewhere.
    let here = HttpHealth::new().here;
    let direct = HttpHealth { abroad: OnceLock::from(here.clone()), here };
    direct.get(&Url::parse(address).unwrap(), limits).await
}

async fn ask(address: SocketAddr) -> Response {
    get(&format!("http://{address}/healthz"), &limits()).await
}

fn silence(response: &Response) -> Silence {
    match response {
        Response::Silent { because, .. } => *because,
        Response::Answered { .. } => panic!("an answer: {response:?}"),
    }
}

#[tokio::test]
async fn an_answer_is_told_as_it_is() {
    for status in [200, 204, 404, 500, 503, 304] {
        let address = says(format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        ));
        let Response::Answered { status: told, content_type, truncated, .. } =
            ask(address.await).await
        else {
            panic!("no answer to {status}")
        };
        assert_eq!((told, truncated), (status, false));
        assert_eq!(content_type.as_deref(), Some("application/json"));
    }
}

#[tokio::test]
async fn a_body_of_broken_utf_8_is_handed_on_byte_by_byte() {
    let address = says(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\xff\xfe{\x00".to_vec()).await;
    let Response::Answered { body, .. } = ask(address).await else { panic!() };
    assert_eq!(body, b"\xff\xfe{\x00");
}

#[tokio::test]
async fn a_body_is_cut_at_the_limit_and_one_of_that_very_size_is_not() {
    for (size, expected) in [(999, false), (1000, false), (1001, true)] {
        let body = "x".repeat(size);
        let address =
            says(format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{body}")).await;
        let Response::Answered { body, truncated, .. } = ask(address).await else { panic!() };
        assert_eq!((body.len(), truncated), (size.min(1000), expected));
    }
}

#[tokio::test]
async fn an_endless_body_is_left_after_the_limit() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let address = server(move |mut socket| {
        let counter = counter.clone();
        async move {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await?;
            loop {
                counter.fetch_add(socket.write(&[b'x'; 8192]).await?, Ordering::Relaxed);
            }
        }
    })
    .await;
    let Response::Answered { body, truncated, .. } = ask(address).await else { panic!() };
    assert_eq!((body.len(), truncated), (1000, true));
    // What the sockets' own buffers swallow, and far from a gigabyte.
    assert!(sent.load(Ordering::Relaxed) < 64 << 20);
}

#[tokio::test]
async fn nothing_is_unpacked() {
    let address = says(
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08"
            .to_vec(),
    );
    let Response::Answered { body, .. } = ask(address.await).await else { panic!() };
    assert_eq!(body, b"\x1f\x8b\x08");
}

#[tokio::test]
async fn every_kind_of_silence_is_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let plain = says("HTTP/1.1 400 No TLS here\r\n\r\n").await;
    let hangs_up = says("").await;
    let babbles = says("what? no.\r\n\r\n").await;
    let breaks_off = says("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{").await;
    for (address, expected) in [
        (format!("http://{closed}/"), Silence::Refused),
        (format!("https://{closed}/"), Silence::Refused),
        ("https://no-such-name.invalid/".to_owned(), Silence::UnknownHost),
        (format!("https://{plain}/"), Silence::Tls),
        (format!("https://{hangs_up}/"), Silence::Tls),
        (format!("http://{hangs_up}/"), Silence::Broken),
        (format!("http://{babbles}/"), Silence::Broken),
        (format!("http://{breaks_off}/"), Silence::Broken),
        ("http://example.com/".to_owned(), Silence::Tls),
        ("ftp://127.0.0.1/".to_owned(), Silence::Tls),
    ] {
        let response = get(&address, &limits()).await;
        assert_eq!(silence(&response), expected, "{address}: {response:?}");
        let Response::Silent { detail, .. } = response else { unreachable!() };
        assert!(!detail.is_empty());
    }
}

#[tokio::test]
async fn a_dead_proxy_says_nothing_about_the_service() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = reqwest::Proxy::all(format!("http://{closed}")).unwrap();
    let abroad = Client::builder().proxy(proxy).build().unwrap();
    let health = HttpHealth { abroad: OnceLock::from(Some(abroad)), here: HttpHealth::new().here };
    let url = Url::parse("https://no-such-name.invalid/").unwrap();
    assert_eq!(silence(&health.get(&url, &limits()).await), Silence::Broken);
    // This machine is asked without it.
    let address = says("HTTP/1.1 204 X\r\n\r\n").await;
    let url = Url::parse(&format!("http://{address}/")).unwrap();
    assert!(matches!(health.get(&url, &limits()).await, Response::Answered { status: 204, .. }));
}

#[tokio::test]
async fn slow_answers_run_into_the_limit_of_time() {
    let mute = server(|socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
        Ok(())
    });
    let one_byte_at_a_time = |head: &'static str| {
        server(move |mut socket| async move {
            for byte in head.bytes().chain(std::iter::repeat(b'x')) {
                socket.write_all(&[byte]).await?;
                #[expect(clippy::disallowed_methods, reason = "a server that is slow on purpose")]
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        })
    };
    let slow_head = one_byte_at_a_time("HTTP/1.1 200 OK\r\nx-a: ");
    let slow_body = server(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n").await?;
        loop {
            socket.write_all(b"x").await?;
            #[expect(clippy::disallowed_methods, reason = "a server that is slow on purpose")]
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for address in [mute.await, slow_head.await, slow_body.await] {
        let response = get(&format!("http://{address}/"), &brief()).await;
        assert_eq!(silence(&response), Silence::Timeout);
    }
    // A handshake that never begins counts as slow, too.
    let deaf = server(|socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
        Ok(())
    });
    let response = get(&format!("https://{}/", deaf.await), &brief()).await;
    assert_eq!(silence(&response), Silence::Timeout);
}

async fn redirects(to: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let address = server(move |mut socket| {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        async move {
            let text = if to.is_empty() && number >= 3 {
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
            } else {
                format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            };
            socket.write_all(text.as_bytes()).await?;
            socket.shutdown().await
        }
    })
    .await;
    (address, asked)
}

#[tokio::test]
async fn redirects_are_followed_within_the_service_up_to_the_limit() {
    let (address, asked) = redirects("").await;
    let Response::Answered { status, .. } = ask(address).await else { panic!() };
    assert_eq!((status, asked.load(Ordering::Relaxed)), (200, 4));
}

#[tokio::test]
async fn circles_and_ways_out_are_not_followed() {
    let (circle, asked) = redirects("/healthz").await;
    assert_eq!(silence(&ask(circle).await), Silence::Redirects);
    assert_eq!(asked.load(Ordering::Relaxed), limits().redirects + 1);
    for to in [
        "http://example.com/",
        "//example.com/",
        "https://127.0.0.1/",
        "http://127.0.0.1:1/",
        "http://[/",
    ] {
        let (address, asked) = redirects(to).await;
        assert_eq!(silence(&ask(address).await), Silence::Redirects, "{to}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_an_answer() {
    let address = says("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n").await;
    let Response::Answered { status, .. } = ask(address).await else { panic!() };
    assert_eq!(status, 302);
}
