//! Asking a deployed program: whatever really serves answers, not what is configured.

use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use super::mishap::Kind;
use super::{Machine, State};
use crate::world::health::{Health, Limits, Response, Silence};
use crate::world::{Place, WorldError};

#[async_trait]
impl Health for Machine {
    async fn get(&self, url: &Url, _limits: &Limits) -> Response {
        let host = url.host_str().unwrap_or_default().to_owned();
        let call = (Place::AppRunner, Kind::Read, "GET");
        let asked = self.call(call, |state, _| Ok(ask(state, &host))).await;
        asked.unwrap_or_else(|error: WorldError| Response::Silent {
            because: Silence::Timeout,
            detail: error.to_string(),
        })
    }
}

fn ask(state: &State, host: &str) -> Response {
    let Some(service) = state.cloud.services().find(|service| service.url == host) else {
        return Response::Silent { because: Silence::UnknownHost, detail: host.to_owned() };
    };
    let serving = service.live.as_ref().and(service.image.as_ref());
    let status = match serving {
        Some(image) => {
            let application = state.applications.get(&image.digest).copied().unwrap_or_default();
            application.status(state.now)
        }
        // App Runner's own front answers where nothing serves.
        None => 404,
    };
    Response::Answered {
        status,
        body: b"{}".to_vec(),
        truncated: false,
        content_type: Some("application/json".into()),
        took: Duration::from_millis(5),
    }
}
