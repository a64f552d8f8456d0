//! The web application of `surefoot demo`: one file, no dependency, linked statically, so that an
//! image with nothing else in it runs.
//!
//! It serves `/index.html` at `/` and `/health.json` at `/healthz`, and listens where
//! `/app.conf` says (`port = 8080`), which is how the demo's third release goes wrong.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// A request line and its headers are never longer; what is longer is not read.
const LONGEST_REQUEST: u64 = 16 * 1024;

fn main() {
    let port = port();
    let listener = match TcpListener::bind(("0.0.0.0", port)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on port {port}: {error}");
            std::process::exit(1);
        }
    };
    println!("listening on port {port}");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            if let Err(error) = answer(stream) {
                eprintln!("a request failed: {error}");
            }
        });
    }
}

/// `port = N` in the file; else what App Runner says; else 8080.
fn port() -> u16 {
    let file = fs::read_to_string("/app.conf").unwrap_or_default();
    let written = file.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "port").then(|| value.trim().parse().ok())?
    });
    let given = std::env::var("PORT").ok().and_then(|port| port.parse().ok());
    written.or(given).unwrap_or(8080)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?.take(LONGEST_REQUEST));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    if request.trim().is_empty() {
        // A probe that only connects has nothing to be answered.
        return Ok(());
    }
    let path = request.split_whitespace().nth(1).unwrap_or("/");
    let (status, kind, body) = match path {
        "/" => ("200 OK", "text/html; charset=utf-8", page("/index.html")),
        "/healthz" => ("200 OK", "application/json", page("/health.json")),
        _ => ("404 Not Found", "text/plain", "not here\n".to_owned()),
    };
    println!("{} {status}", request.trim_end());
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn page(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| format!("{path}: {error}\n"))
}
