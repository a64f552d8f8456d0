//! stub
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Overlay {}
impl Overlay {
    pub fn apply(&self, base: &crate::release::Configuration) -> crate::release::Configuration {
        base.clone()
    }
}
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HealthGate {}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoDeployments {
    Keep,
    Restore,
    Off,
}
