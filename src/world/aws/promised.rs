//! Holds an answer to what the service promises to say.
//!
//! The SDK fills in what an answer misses: an empty body would read as "there are no services", and
//! a deployment would create one a second time.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

/// An interceptor that makes an answer without its promise an answer that cannot be read.
#[derive(Debug, Clone, Copy)]
pub(in crate::world) enum Promised {
    /// Any JSON object.
    Object,
    /// A JSON object with this member.
    Member(&'static str),
}

impl Promised {
    fn is_kept_by(self, body: &[u8]) -> bool {
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return false };
        match self {
            Self::Object => true,
            Self::Member(name) => members.get(name).is_some_and(|member| !member.is_null()),
        }
    }
}

impl Intercept for Promised {
    fn name(&self) -> &'static str {
        "Promised"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let kept = response.body().bytes().is_none_or(|body| self.is_kept_by(body));
        if response.status().is_success() && !kept {
            return Err("the answer misses what the service promises to say".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_object_keeps_the_promise() {
        let list = Promised::Member("List");
        for (body, object, complete) in [
            ("", false, false),
            ("[]", false, false),
            ("<html>", false, false),
            ("{}", true, false),
            (r#"{"List":null}"#, true, false),
            (r#"{"List":[]}"#, true, true),
        ] {
            assert_eq!(Promised::Object.is_kept_by(body.as_bytes()), object, "{body}");
            assert_eq!(list.is_kept_by(body.as_bytes()), complete, "{body}");
        }
    }
}
