//! Pushing.

use std::time::Duration;

use super::support::{
    Hurry, ImageName, Kept, Project, Registry, anyone, build, engine, free_port, refusal,
};
use surefoot::names::ImageIdentifier;
use surefoot::world::builder::{Builder as _, DockerBuilder, Surroundings};
use surefoot::world::clock::{Clock as _, SystemClock};
use surefoot::world::{Obstacle, Place, Progress, ProgressSink, Silence, WorldError};

/// An image with a layer of so many bytes that do not compress.
async fn image(builder: &DockerBuilder, bytes: usize) -> ImageName {
    let project = Project::new("FROM scratch\nCOPY data /data\n");
    let mut noise = vec![0; bytes];
    let mut state = u64::from(std::process::id()) << 20 | bytes as u64 | 1;
    for chunk in noise.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
    std::fs::write(project.path().join("data"), noise).unwrap();
    let name = ImageName::new();
    build(builder, &project.request(), &name).await.0.unwrap();
    name
}

#[tokio::test]
async fn the_digest_is_the_registrys_own() {
    let Some(builder) = engine().await else { return };
    let registry = Registry::start().await;
    let image = image(&builder, 300_000).await;
    let target = registry.target("team/shop", "v1");
    image.also(&target.to_string());
    let kept = Kept::default();
    let digest = builder.push(&image.name, &target, &anyone(), &kept).await.unwrap();
    assert_eq!(digest, registry.digest("team/shop", "v1").await);
    let last = kept.all().into_iter().rev().find_map(|progress| match progress {
        Progress::Pushed { bytes, of } => Some((bytes, of)),
        _ => None,
    });
    assert!(matches!(last, Some((bytes, of)) if bytes > 0 && bytes <= of), "{last:?}");

    let again = builder.push(&image.name, &target, &anyone(), &Silence).await.unwrap();
    assert_eq!(again, digest, "pushing again changes nothing");
    let other = registry.target("team/shop", "latest");
    image.also(&other.to_string());
    let under_another = builder.push(&image.name, &other, &anyone(), &Silence).await.unwrap();
    assert_eq!(under_another, digest);
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_no_answer() {
    let Some(builder) = engine().await else { return };
    let image = image(&builder, 1_000).await;
    let target: ImageIdentifier = format!("127.0.0.1:{}/shop:v1", free_port()).parse().unwrap();
    image.also(&target.to_string());
    let (kept, hurry) = (Kept::default(), Hurry::default());
    let builder = DockerBuilder::new(Surroundings::of_this_process(), Box::new(hurry.clone()));
    let error = builder.push(&image.name, &target, &anyone(), &kept).await.unwrap_err();
    let WorldError::Unreachable { place: Place::Ecr, obstacle: Obstacle::Network, reason } = error
    else {
        panic!("{error:?}")
    };
    assert!(reason.contains("connection refused"), "{reason}");
    let notices = kept.all().iter().filter(|p| matches!(p, Progress::Notice(_))).count();
    assert_eq!(notices, 3, "every further attempt is announced: {:?}", kept.all());
    assert_eq!(*hurry.0.lock().unwrap(), [2, 4, 8].map(Duration::from_secs));
}

#[tokio::test]
async fn an_image_that_is_not_there_is_refused() {
    let Some(builder) = engine().await else { return };
    let target = "127.0.0.1:1/shop:v1".parse().unwrap();
    let answer = builder.push("surefoot-test/absent:v0", &target, &anyone(), &Silence).await;
    assert_eq!(refusal(answer).0, "no-image");
    let by_digest = format!("127.0.0.1:1/shop@sha256:{}", "a".repeat(64)).parse().unwrap();
    let answer = builder.push("surefoot-test/absent:v0", &by_digest, &anyone(), &Silence).await;
    assert_eq!(refusal(answer).0, "no-tag");
}

/// Calls once so many bytes have been pushed.
struct After<F: Fn() + Send + Sync> {
    bytes: u64,
    then: F,
    called: std::sync::Once,
}

impl<F: Fn() + Send + Sync> ProgressSink for After<F> {
    fn report(&self, progress: Progress) {
        if matches!(progress, Progress::Pushed { bytes, .. } if bytes >= self.bytes) {
            self.called.call_once(&self.then);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_killed_in_the_middle_is_pushed_to_again() {
    let Some(builder) = engine().await else { return };
    let image = image(&builder, 60_000_000).await;
    let mut registry = Registry::start().await;
    let target = registry.target("shop", "v1");
    image.also(&target.to_string());
    let (send, mut wanted) = tokio::sync::mpsc::unbounded_channel();
    let progress = After {
        bytes: 1_000_000,
        then: move || send.send(()).unwrap(),
        called: std::sync::Once::new(),
    };
    let login = anyone();
    let push = builder.push(&image.name, &target, &login, &progress);
    let disturbance = async {
        wanted.recv().await.unwrap();
        registry.kill();
        SystemClock::start().sleep(Duration::from_secs(1)).await;
        registry.resume().await;
        registry
    };
    let (digest, registry) = tokio::join!(push, disturbance);
    assert_eq!(digest.unwrap(), registry.digest("shop", "v1").await);
}
