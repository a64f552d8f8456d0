//! A look at the request that would be sent: the SDK builds it, and is stopped before it signs.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// An interceptor that keeps the serialised body and stops the call before it is signed or sent.
#[derive(Debug)]
pub(in crate::world) struct Preview(Captured);

/// What a [`Preview`] has kept.
#[derive(Clone, Default)]
pub(in crate::world) struct Captured(Arc<Mutex<Option<Vec<u8>>>>);

// Bodies carry plain environment values.
impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Captured")
    }
}

impl Preview {
    /// An interceptor, and where to find what it keeps.
    pub(in crate::world) fn new() -> (Self, Captured) {
        let captured = Captured::default();
        (Self(captured.clone()), captured)
    }
}

impl Captured {
    /// The body as JSON, if the call came as far as having one.
    pub(in crate::world) fn json(&self) -> Option<serde_json::Value> {
        let body = self.0.lock().ok()?.take()?;
        serde_json::from_slice(&body).ok()
    }
}

impl Intercept for Preview {
    fn name(&self) -> &'static str {
        "Preview"
    }

    fn read_after_serialization(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request().body().bytes().map(<[u8]>::to_vec);
        if let Ok(mut kept) = self.0.0.lock() {
            *kept = body;
        }
        Err("only a preview: nothing is sent".into())
    }
}
