use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::sandbox::registry::Settings;
use crate::sandbox::registry::manifest::DOCKER_MANIFEST;

const SCRIPT: &str = "echo \"seen: $(ls / | tr '\\n' ' ')\"; echo \"pid $$ $GREETING\" >&2; \
    mkdir -p /www; echo hello > /www/index.html; exec /bin/busybox httpd -f -p \"127.0.0.1:$PORT\" -h /www";

fn registry() -> Arc<Registry> {
    let registry = Registry::passing(Settings::new("123456789012", "eu-central-1", "127.0.0.1:1"));
    registry.answer("CreateRepository", &json!({"repositoryName": "shop"}), 0).unwrap();
    Arc::new(registry)
}

/// An image with busybox as its shell, `CMD sh -c script`, and one label.
fn image(registry: &Registry, script: &str, label: (&str, &str)) -> String {
    let busybox = std::fs::read("/bin/busybox").expect("busybox-static is installed");
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(busybox.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "bin/busybox", busybox.as_slice()).unwrap();
    for name in ["sh", "ls", "tr", "mkdir", "sleep", "cat"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, format!("bin/{name}"), "busybox").unwrap();
    }
    let mut gzip = tar.into_inner().unwrap();
    gzip.flush().unwrap();
    let layer = gzip.finish().unwrap();
    let config = json!({
        "os": "linux", "architecture": "amd64",
        "config": {"Cmd": ["/bin/sh", "-c", script], "Env": ["PATH=/bin", "GREETING=image"],
                   "Labels": {label.0: label.1}},
    })
    .to_string();
    let put = |bytes: &[u8]| {
        let digest = registry.blobs().put(bytes).unwrap();
        registry.link_layer("shop", &digest, bytes.len() as u64).unwrap();
        json!({"mediaType": "application/octet-stream", "digest": digest, "size": bytes.len()})
    };
    let (config, layer) = (put(config.as_bytes()), put(&layer));
    let text = json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": [layer]});
    registry.push_manifest("shop", "v1", None, &text.to_string(), 0).unwrap()
}

fn spec(digest: String, id: &str) -> InstanceSpec {
    InstanceSpec {
        repository: "shop".into(),
        digest,
        port: 9,
        start_command: None,
        environment: BTreeMap::from([("GREETING".into(), "service".into())]),
        service_name: "shop".into(),
        service_id: "s".into(),
        instance_id: InstanceId(id.repeat(32)),
        cpu_units: 256,
        memory_mebibytes: 512,
    }
}

#[expect(clippy::disallowed_methods, reason = "a real process needs real time")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn until_healthy(runtime: &EmbeddedRuntime, instance: &InstanceId) {
    let check = HealthCheck::Http { path: "/".into(), timeout: Duration::from_secs(2) };
    for _ in 0..200 {
        if runtime.probe(instance, &check).await == Probe::Passed {
            return;
        }
        pause().await;
    }
    panic!("never healthy: {:?}", runtime.logs(instance).await);
}

async fn exit_of(runtime: &EmbeddedRuntime, instance: &InstanceId) -> i64 {
    loop {
        match runtime.observe(instance).await {
            InstanceState::Exited { code } => return code,
            InstanceState::Running => pause().await,
        }
    }
}

fn clock() -> Clock {
    Arc::new(|| 7)
}

#[tokio::test]
#[ignore = "needs user namespaces and busybox-static"]
async fn real_process_sees_its_image_only_and_ends_with_its_code() {
    let registry = registry();
    let digest = image(&registry, SCRIPT, ("a", "b"));
    let runtime = EmbeddedRuntime::new(Arc::clone(&registry), Arc::default(), clock()).await;
    assert!(runtime.isolation.is_ok(), "{}", runtime.describe());
    let instance = runtime.start(&spec(digest.clone(), "a")).await.unwrap();
    until_healthy(&runtime, &instance).await;
    let lines: Vec<String> =
        runtime.logs(&instance).await.into_iter().map(|line| line.text).collect();
    assert!(lines.contains(&"seen: bin dev proc tmp ".to_owned()), "{lines:?}");
    assert!(lines.contains(&"pid 1 service".to_owned()), "{lines:?}");
    runtime.route("s", Some(&instance)).await;
    let url = format!("http://{}/", runtime.service_url("s").await);
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "hello\n");
    let folder = runtime.folder.join(&instance.0);
    assert!(folder.exists());
    let address = runtime.instances()[&instance].address;
    runtime.stop(&instance).await;
    assert_eq!(runtime.observe(&instance).await, InstanceState::Exited { code: 137 });
    assert!(!folder.exists());
    for _ in 0..100 {
        if is_free(address.port()) {
            break;
        }
        pause().await;
    }
    assert!(is_free(address.port()), "the process still listens");

    let dying = InstanceSpec {
        start_command: Some("sh -c 'echo bye; exit 7'".into()),
        ..spec(digest.clone(), "b")
    };
    let instance = runtime.start(&dying).await.unwrap();
    assert_eq!(exit_of(&runtime, &instance).await, 7);
    assert_eq!(runtime.logs(&instance).await[0].text, "bye");
    let absent = InstanceSpec { start_command: Some("/no/such".into()), ..spec(digest, "c") };
    let instance = runtime.start(&absent).await.unwrap();
    assert_eq!(exit_of(&runtime, &instance).await, 127);
    runtime.shutdown().await;
    assert!(!runtime.folder.exists());
}

#[tokio::test]
async fn the_stand_in_says_what_it_is_and_can_play_an_unhealthy_release() {
    let registry = registry();
    let clock = clock();
    let runtime = EmbeddedRuntime::standing_in(Arc::clone(&registry), Arc::default(), clock);
    assert!(runtime.describe().contains("stand-in"));
    let text = crate::sandbox::registry::sample::manifest(&registry, "shop", "x", "amd64").unwrap();
    // The sample's layer is no archive: a stand-in needs the configuration only.
    let digest = registry.push_manifest("shop", "bad", None, &text, 0).unwrap();
    assert!(matches!(runtime.start(&spec(digest, "f")).await, Err(StartFailure::PullFailed(_))));
    for (id, label, well) in [("d", "200", true), ("e", "503", false)] {
        let digest = image_without_files(&registry, label);
        let instance = runtime.start(&spec(digest, id)).await.unwrap();
        let path = "/healthz".to_owned();
        let check = HealthCheck::Http { path, timeout: Duration::from_secs(2) };
        let tcp = HealthCheck::Tcp { timeout: Duration::from_secs(2) };
        while runtime.probe(&instance, &tcp).await != Probe::Passed {
            pause().await;
        }
        assert_eq!(runtime.probe(&instance, &check).await == Probe::Passed, well);
        let address = runtime.instances()[&instance].address;
        let body = reqwest::get(format!("http://{address}/")).await.unwrap().text().await.unwrap();
        assert!(body.contains("not the image's own app"));
        assert!(body.contains("GREETING") && !body.contains("\"service\":\"service\""));
        assert!(runtime.logs(&instance).await[0].text.starts_with("[stand-in]"));
    }
    runtime.shutdown().await;
}

fn image_without_files(registry: &Registry, status: &str) -> String {
    let config = json!({"os": "linux", "architecture": "amd64",
        "config": {"Labels": {"surefoot.stand-in.status": status}}})
    .to_string();
    let digest = registry.blobs().put(config.as_bytes()).unwrap();
    registry.link_layer("shop", &digest, 1).unwrap();
    let text = json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "layers": [],
        "config": {"mediaType": "x", "digest": digest, "size": config.len()}});
    registry.push_manifest("shop", "v1", None, &text.to_string(), 0).unwrap()
}
