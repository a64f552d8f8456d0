//! Against a real engine: run with `cargo test -- --ignored real_docker`.

use std::time::Duration;

use bollard::query_parameters::{
    BuildImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptions,
};
use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::sandbox::door::oci::{Faults, OciDoor, OciFault};
use crate::sandbox::registry::Settings;
use crate::sandbox::serve::serve;

const SCRIPT: &str = "#!/bin/busybox sh\necho \"starting $GREETING on $PORT\"\n\
    mkdir -p /www; echo \"$GREETING\" > /www/index.html\nexec /bin/busybox httpd -f -p \"$PORT\" -h /www\n";

struct Sandbox {
    registry: Arc<Registry>,
    docker: Docker,
    faults: Faults,
    runtime: DockerRuntime,
    images: Mutex<Vec<String>>,
}

async fn sandbox() -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let registry =
        Arc::new(Registry::passing(Settings::new("123456789012", "eu-central-1", &authority)));
    registry.answer("CreateRepository", &json!({"repositoryName": "team/shop"}), 0).unwrap();
    let clock: Clock = Arc::new(|| 1_700_000_000_000);
    let faults = Faults::default();
    let door = OciDoor::new(Arc::clone(&registry), faults.clone(), Arc::clone(&clock));
    tokio::spawn(serve(listener, Arc::new(move |request| door.clone().respond(request))));
    let docker = Docker::connect_with_local_defaults().unwrap();
    let proxies = Arc::new(Proxies::default());
    let runtime = DockerRuntime::connect(docker.clone(), Arc::clone(&registry), proxies, clock)
        .await
        .unwrap();
    Sandbox { registry, docker, faults, runtime, images: Mutex::default() }
}

fn context(dockerfile: &str) -> Bytes {
    let mut tar = tar::Builder::new(Vec::new());
    let busybox = std::fs::read("/bin/busybox").expect("busybox-static is installed");
    for (path, content) in [
        ("Dockerfile", dockerfile.as_bytes()),
        ("busybox", busybox.as_slice()),
        ("start", SCRIPT.as_bytes()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, path, content).unwrap();
    }
    tar.into_inner().unwrap().into()
}

impl Sandbox {
    async fn build(&self, tag: &str, command: &str) -> String {
        let name = format!("{}/team/shop", self.registry.authority());
        let dockerfile = format!(
            "FROM scratch\nCOPY busybox /bin/busybox\nCOPY start /start\nLABEL v={tag}\n{command}\n"
        );
        let reference = format!("{name}:{tag}");
        let options = BuildImageOptionsBuilder::default().t(&reference).rm(true).build();
        let body = bollard::body_full(context(&dockerfile));
        let mut steps = Box::pin(self.docker.build_image(options, None, Some(body)));
        while let Some(step) = steps.next().await {
            step.unwrap();
        }
        self.images.lock().unwrap().push(reference.clone());
        reference
    }

    async fn push(&self, tag: &str, password: &str) -> Result<(), String> {
        let name = format!("{}/team/shop", self.registry.authority());
        let credentials = DockerCredentials {
            username: Some("AWS".into()),
            password: Some(password.into()),
            ..DockerCredentials::default()
        };
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let mut steps = Box::pin(self.docker.push_image(&name, Some(options), Some(credentials)));
        while let Some(step) = steps.next().await {
            step.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn forget_images(&self) {
        let images = std::mem::take(&mut *self.images.lock().unwrap());
        for image in images {
            let options = RemoveImageOptions { force: true, ..Default::default() };
            drop(self.docker.remove_image(&image, Some(options), None).await);
        }
    }

    fn password(&self) -> String {
        self.registry.password(1_700_000_000_000)
    }

    fn spec(&self, tag: &str, id: &str) -> InstanceSpec {
        let identifier = format!("{}/team/shop:{tag}", self.registry.authority());
        let image = self.registry.resolve(&identifier).unwrap();
        InstanceSpec {
            repository: image.repository,
            digest: image.platform_digest,
            port: 8080,
            start_command: None,
            environment: BTreeMap::from([("GREETING".into(), format!("hello {tag}"))]),
            service_name: "shop".into(),
            service_id: "0123456789abcdef0123456789abcdef".into(),
            instance_id: InstanceId(id.repeat(32)),
            cpu_units: 1024,
            memory_mebibytes: 64,
        }
    }

    async fn until_healthy(&self, instance: &InstanceId) {
        let check = HealthCheck::Http { path: "/".into(), timeout: Duration::from_secs(1) };
        for _ in 0..100 {
            if self.runtime.probe(instance, &check).await == Probe::Passed {
                return;
            }
            pause().await;
        }
        panic!("never healthy: {:?}", self.runtime.logs(instance).await);
    }
}

#[expect(clippy::disallowed_methods, reason = "a real container needs real time")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn real_docker_pushes_pulls_and_runs() {
    let sandbox = sandbox().await;
    sandbox.build("v1", "CMD [\"/bin/busybox\", \"sh\", \"/start\"]").await;
    sandbox.push("v1", &sandbox.password()).await.unwrap();
    // Pulled from the registry and not found in the engine.
    sandbox.forget_images().await;
    let spec = sandbox.spec("v1", "a");
    let instance = sandbox.runtime.start(&spec).await.unwrap();
    sandbox.until_healthy(&instance).await;
    assert_eq!(sandbox.runtime.observe(&instance).await, InstanceState::Running);
    sandbox.runtime.route(&spec.service_id, Some(&instance)).await;
    let url = format!("http://{}/", sandbox.runtime.service_url(&spec.service_id).await);
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "hello v1\n");
    let lines = sandbox.runtime.logs(&instance).await;
    assert_eq!(lines[0].text, "starting hello v1 on 8080");
    // Another sandbox that lives is left alone.
    sandbox.runtime.sweep().await;
    assert_eq!(sandbox.runtime.observe(&instance).await, InstanceState::Running);

    let broken = InstanceSpec {
        start_command: Some("/bin/busybox sh -c \"echo dying; exit 7\"".into()),
        ..sandbox.spec("v1", "b")
    };
    let dying = sandbox.runtime.start(&broken).await.unwrap();
    while sandbox.runtime.observe(&dying).await == InstanceState::Running {
        pause().await;
    }
    assert_eq!(sandbox.runtime.observe(&dying).await, InstanceState::Exited { code: 7 });
    let absent = InstanceSpec { start_command: Some("/no/such".into()), ..sandbox.spec("v1", "c") };
    let failure = sandbox.runtime.start(&absent).await.unwrap_err();
    assert!(matches!(failure, StartFailure::CannotExecute { code: 127, .. }), "{failure}");
    let gone = InstanceSpec {
        digest: crate::sandbox::registry::manifest::digest_of(b"none"),
        ..sandbox.spec("v1", "d")
    };
    let failure = sandbox.runtime.start(&gone).await.unwrap_err();
    assert!(matches!(failure, StartFailure::ImageNotFound(_)), "{failure}");

    sandbox.runtime.stop(&dying).await;
    assert_eq!(sandbox.runtime.logs(&dying).await[0].text, "dying");
    sandbox.runtime.shutdown().await;
    sandbox.images.lock().unwrap().push(format!(
        "{}/team/shop@{}",
        sandbox.registry.authority(),
        spec.digest
    ));
    sandbox.forget_images().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn real_docker_meets_the_refusals_and_faults_of_the_registry() {
    let sandbox = sandbox().await;
    sandbox.build("v1", "CMD [\"/start\"]").await;
    let expired = sandbox.registry.password(0);
    let refusal = sandbox.push("v1", &expired).await.unwrap_err();
    assert!(
        refusal.contains(
            "denied: Your authorization token has expired. Reauthenticate and try again."
        ),
        "{refusal}"
    );
    // A broken connection in the middle of a layer: Docker tries again by itself.
    sandbox.faults.inject(OciFault::DropUploadAfter { bytes: 100_000, times: 1 });
    sandbox.faults.inject(OciFault::FailBlobs { status: 503, times: 1 });
    sandbox.push("v1", &sandbox.password()).await.unwrap();
    sandbox.push("v1", &sandbox.password()).await.unwrap();

    // The second build takes the tag away from the first image: it is then known by digest only.
    let name = format!("{}/team/shop", sandbox.registry.authority());
    let first = sandbox.registry.resolve(&format!("{name}:v1")).unwrap().digest;
    sandbox.images.lock().unwrap().push(format!("{name}@{first}"));
    let immutable = json!({"repositoryName": "team/shop", "imageTagMutability": "IMMUTABLE"});
    sandbox.registry.answer("PutImageTagMutability", &immutable, 0).unwrap();
    sandbox.build("v1", "CMD [\"/other\"]").await;
    let refusal = sandbox.push("v1", &sandbox.password()).await.unwrap_err();
    assert!(
        refusal.contains("tag invalid: The image tag 'v1' already exists in the 'team/shop' repository and cannot be overwritten because the tag is immutable."),
        "{refusal}"
    );
    let force = json!({"repositoryName": "team/shop", "force": true});
    sandbox.registry.answer("DeleteRepository", &force, 0).unwrap();
    let refusal = sandbox.push("v1", &sandbox.password()).await.unwrap_err();
    assert!(
        refusal.contains("name unknown: The repository with name 'team/shop' does not exist in the registry with id '123456789012'"),
        "{refusal}"
    );
    sandbox.forget_images().await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn real_docker_sweeps_what_a_crashed_sandbox_left() {
    let sandbox = sandbox().await;
    sandbox.build("v1", "CMD [\"/bin/busybox\", \"sleep\", \"1000\"]").await;
    sandbox.push("v1", &sandbox.password()).await.unwrap();
    let mut crashed = sandbox.spec("v1", "e");
    crashed.service_name = format!("crashed-{}", std::process::id());
    let mut runtime = DockerRuntime::connect(
        sandbox.docker.clone(),
        Arc::clone(&sandbox.registry),
        Arc::new(Proxies::default()),
        Arc::new(|| 0),
    )
    .await
    .unwrap();
    runtime.owner = Owner { pid: std::process::id(), started: "before the last boot/1".into() };
    let instance = runtime.start(&crashed).await.unwrap();
    assert_eq!(runtime.observe(&instance).await, InstanceState::Running);
    sandbox.runtime.sweep().await;
    assert_eq!(runtime.observe(&instance).await, InstanceState::Exited { code: 137 });
    let digest = &crashed.digest;
    let reference = format!("{}/team/shop@{digest}", sandbox.registry.authority());
    sandbox.images.lock().unwrap().push(reference);
    sandbox.forget_images().await;
}
