use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::sandbox::registry::manifest::{OCI_MANIFEST, digest_of};
use crate::sandbox::registry::{Settings, sample};
use crate::sandbox::serve::serve;

const NOW: Timestamp = 1_700_000_000_000;

/// One registry, ours or the reference one, seen by a plain client.
struct Bench {
    client: Client,
    base: String,
    login: Option<String>,
    registry: Arc<Registry>,
    faults: Faults,
}

async fn bench() -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let registry = Registry::passing(Settings::new("123456789012", "eu-central-1", &authority));
    let registry = Arc::new(registry);
    for name in ["team/shop", "other"] {
        registry.answer("CreateRepository", &json!({"repositoryName": name}), NOW).unwrap();
    }
    let faults = Faults::default();
    let door = OciDoor::new(Arc::clone(&registry), faults.clone(), Arc::new(|| NOW));
    tokio::spawn(serve(listener, Arc::new(move |request| door.clone().respond(request))));
    let client = Client::builder().no_proxy().build().unwrap();
    let login = Some(registry.password(NOW));
    Bench { client, base: format!("http://{authority}"), login, registry, faults }
}

impl Bench {
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let request = self.client.request(method, url);
        match &self.login {
            Some(password) => request.basic_auth("AWS", Some(password)),
            None => request,
        }
    }

    async fn begin(&self) -> String {
        let answer = self.ask(Method::POST, "/v2/team/shop/blobs/uploads/").send().await.unwrap();
        assert_eq!(answer.status(), 202);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn put_blob(&self, content: &'static str) -> String {
        let location = self.begin().await;
        let digest = digest_of(content.as_bytes());
        let mark = if location.contains('?') { '&' } else { '?' };
        let request =
            self.ask(Method::PUT, &format!("{location}{mark}digest={digest}")).body(content);
        assert_eq!(request.send().await.unwrap().status(), 201);
        digest
    }

    /// Status and first error code of an answer.
    async fn told(&self, request: RequestBuilder) -> (u16, String) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, body["errors"][0]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// Blob and manifest semantics, in a form that the reference registry must give as well.
async fn walk(bench: &Bench) -> Vec<String> {
    let mut seen = Vec::new();
    let mut note = |what: &str, told: (u16, String)| seen.push(format!("{what}: {told:?}"));
    let absent = digest_of(b"none");
    let blob = |digest: &str| format!("/v2/team/shop/blobs/{digest}");
    note("base", bench.told(bench.ask(Method::GET, "/v2/")).await);
    note("no blob", bench.told(bench.ask(Method::GET, &blob(&absent))).await);
    note("no blob by HEAD", bench.told(bench.ask(Method::HEAD, &blob(&absent))).await);
    let config = bench.put_blob(r#"{"os":"linux","architecture":"amd64"}"#).await;
    note("blob", bench.told(bench.ask(Method::HEAD, &blob(&config))).await);
    let part =
        bench.ask(Method::GET, &blob(&config)).header("range", "bytes=2-3").send().await.unwrap();
    note("range", (part.status().as_u16(), part.text().await.unwrap()));
    let beyond = bench.ask(Method::GET, &blob(&config)).header("range", "bytes=9999-");
    note("beyond", (beyond.send().await.unwrap().status().as_u16(), String::new()));

    let location = bench.begin().await;
    let first = bench.ask(Method::PATCH, &location).body("hello ").send().await.unwrap();
    note("chunk", (first.status().as_u16(), first.headers()["range"].to_str().unwrap().into()));
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    let second = bench.ask(Method::PATCH, &location).body("world").send().await.unwrap();
    note("chunk", (second.status().as_u16(), second.headers()["range"].to_str().unwrap().into()));
    let location = second.headers()["location"].to_str().unwrap().to_owned();
    let mark = if location.contains('?') { '&' } else { '?' };
    let digest = digest_of(b"hello world");
    let done = bench.ask(Method::PUT, &format!("{location}{mark}digest={digest}"));
    note("finished", bench.told(done).await);
    let location = bench.begin().await;
    let mark = if location.contains('?') { '&' } else { '?' };
    let lying = bench.ask(Method::PUT, &format!("{location}{mark}digest={absent}")).body("other");
    note("wrong digest", bench.told(lying).await);

    let manifest = |config: &str, layer: &str| {
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 37},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 11}]})
        .to_string()
    };
    let put = |reference: &str, text: &str| {
        bench
            .ask(Method::PUT, &format!("/v2/team/shop/manifests/{reference}"))
            .header("content-type", OCI_MANIFEST)
            .body(text.to_owned())
    };
    let good = manifest(&config, &digest);
    note("manifest", bench.told(put("v1", &good)).await);
    note("manifest again", bench.told(put("v1", &good)).await);
    note("by digest", bench.told(put(&digest_of(good.as_bytes()), &good)).await);
    note("wrong name", bench.told(put(&absent, &good)).await);
    note("no manifest", bench.told(bench.ask(Method::GET, "/v2/team/shop/manifests/none")).await);
    for reference in ["v1", &digest_of(good.as_bytes())] {
        let request = bench.ask(Method::GET, &format!("/v2/team/shop/manifests/{reference}"));
        let answer = request.header("accept", OCI_MANIFEST).send().await.unwrap();
        let digest = answer.headers()["docker-content-digest"].to_str().unwrap().to_owned();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        note("read back", (answer.status().as_u16(), format!("{digest} {kind}")));
        assert_eq!(answer.text().await.unwrap(), good);
    }
    let tags = bench.ask(Method::GET, "/v2/team/shop/tags/list").send().await.unwrap();
    note("tags", (tags.status().as_u16(), tags.text().await.unwrap().trim().to_owned()));
    let mount = format!("/v2/other/blobs/uploads/?mount={digest}&from=team/shop");
    note("mount", bench.told(bench.ask(Method::POST, &mount)).await);
    let mount = format!("/v2/other/blobs/uploads/?mount={absent}&from=team/shop");
    note("mount of nothing", bench.told(bench.ask(Method::POST, &mount)).await);
    seen
}

#[tokio::test]
async fn blobs_and_manifests_behave_as_the_specification_says() {
    let seen = walk(&bench().await).await;
    for line in [
        "no blob: (404, \"BLOB_UNKNOWN\")",
        "chunk: (202, \"0-5\")",
        "chunk: (202, \"0-10\")",
        "wrong digest: (400, \"DIGEST_INVALID\")",
        "manifest: (201, \"\")",
        "no manifest: (404, \"MANIFEST_UNKNOWN\")",
        "mount: (201, \"\")",
        "mount of nothing: (202, \"\")",
    ] {
        assert!(seen.contains(&line.to_owned()), "{line} in {seen:#?}");
    }
}

#[tokio::test]
#[ignore = "needs /usr/bin/docker-registry"]
async fn real_registry_of_reference_gives_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = folder.path().join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {address}}}\n",
        folder.path().join("data").display()
    );
    std::fs::write(&config, text).unwrap();
    let _reference = tokio::process::Command::new("/usr/bin/docker-registry")
        .arg("serve")
        .arg(&config)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ours = bench().await;
    let theirs = Bench {
        client: ours.client.clone(),
        base: format!("http://{address}"),
        login: None,
        registry: Arc::clone(&ours.registry),
        faults: Faults::default(),
    };
    while theirs.ask(Method::GET, "/v2/").send().await.is_err() {
        wait().await;
    }
    assert_eq!(walk(&ours).await, walk(&theirs).await);
}

#[expect(clippy::disallowed_methods, reason = "another process starts in real time")]
async fn wait() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn who_has_no_valid_token_is_told_so() {
    let mut bench = bench().await;
    bench.login = None;
    let answer = bench.ask(Method::GET, "/v2/").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
    bench.login = Some(bench.registry.password(NOW - 13 * 60 * 60 * 1000));
    let answer = bench.ask(Method::GET, "/v2/team/shop/tags/list").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("Your authorization token has expired. Reauthenticate and try again.")
    );
    bench.login = Some("guess".into());
    assert_eq!(bench.ask(Method::GET, "/v2/").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn missing_parts_repositories_and_deletion_are_refused() {
    let bench = bench().await;
    let elsewhere = sample::manifest(&bench.registry, "other", "x", "amd64").unwrap();
    let put = bench.ask(Method::PUT, "/v2/team/shop/manifests/v1").body(elsewhere);
    assert_eq!(bench.told(put).await, (404, "MANIFEST_BLOB_UNKNOWN".into()));
    let none = bench.ask(Method::POST, "/v2/none/blobs/uploads/");
    assert_eq!(bench.told(none).await, (404, "NAME_UNKNOWN".into()));
    sample::image(&bench.registry, "team/shop", "v1", "x", NOW).unwrap();
    for path in ["/v2/team/shop/manifests/v1", "/v2/team/shop/blobs/sha256:1"] {
        assert_eq!(bench.told(bench.ask(Method::DELETE, path)).await, (405, "UNSUPPORTED".into()));
    }
    let large = bench.ask(Method::PUT, "/v2/team/shop/manifests/v2").body(" ".repeat(5_000_000));
    assert_eq!(bench.told(large).await, (400, "MANIFEST_INVALID".into()));
    let unknown = bench.ask(Method::PATCH, "/v2/team/shop/blobs/uploads/none").body("x");
    assert_eq!(bench.told(unknown).await, (404, "BLOB_UPLOAD_UNKNOWN".into()));
    assert_eq!(bench.told(bench.ask(Method::GET, "/v1/")).await.0, 404);
}

#[tokio::test]
async fn faults_happen_as_often_as_asked_and_then_no_more() {
    let bench = bench().await;
    bench.faults.inject(OciFault::FailBlobs { status: 503, times: 1 });
    let begin = || bench.ask(Method::POST, "/v2/team/shop/blobs/uploads/");
    assert_eq!(bench.told(begin()).await.0, 503);
    let location = bench.begin().await;
    bench.faults.inject(OciFault::DropUploadAfter { bytes: 1000, times: 1 });
    bench.faults.inject(OciFault::Slow { pause: Duration::from_millis(1), times: 1 });
    let short = bench.ask(Method::PATCH, &location).body("short").send().await.unwrap();
    assert_eq!(short.status(), 202);
    let broken = bench.ask(Method::PATCH, &location).body("x".repeat(5000)).send().await;
    assert!(broken.is_err());
    let status = bench.ask(Method::GET, &location).send().await.unwrap();
    assert_eq!(status.headers()["range"], "0-1004");
    let again = bench.ask(Method::PATCH, &location).header("content-range", "1005-1005").body("y");
    assert_eq!(again.send().await.unwrap().status(), 202);
    let wrong = bench.ask(Method::PATCH, &location).header("content-range", "7-8").body("yy");
    assert_eq!(wrong.send().await.unwrap().status(), 416);
    bench.faults.inject(OciFault::FailManifests { status: 500, times: 1 });
    let text = sample::manifest(&bench.registry, "team/shop", "x", "amd64").unwrap();
    let put = || bench.ask(Method::PUT, "/v2/team/shop/manifests/v1").body(text.clone());
    assert_eq!(bench.told(put()).await.0, 500);
    assert_eq!(bench.told(put()).await.0, 201);
}
