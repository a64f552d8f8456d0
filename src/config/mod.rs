//! stub
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap,BTreeSet};
use std::time::Duration;
use crate::names::*;
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Overlay {pub port: Option<String>, pub access_role: Option<RoleArn>, pub instance_role: Option<RoleArn>}
impl Overlay { pub fn apply(&self, base: &crate::release::Configuration) -> crate::release::Configuration { base.clone() } }
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HealthGate {pub path: String, pub retries: u32, pub timeout: Duration, pub interval: Duration, pub passes: u32, pub assertions: Vec<String>, pub version: Option<String>}
pub struct HealthJudgement { pub passed: bool, pub findings: Vec<String>, pub version: Option<String> }
impl HealthGate { pub fn is_off(&self)->bool{false} pub fn is_default_address(&self)->bool{true} pub fn url(&self,_a:&str,_s:bool)->Option<url::Url>{None} pub fn judge(&self,_r:&crate::world::health::Response)->HealthJudgement{todo!()} }
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoDeployments { Keep, Restore, Off }
pub fn format_bytes(_b:u64)->String{String::new()}
pub struct Times { pub poll: Duration, pub settle: Duration, pub deploy_timeout: Duration, pub release_wait: Duration, pub busy_wait: Duration, pub role_wait: Duration, pub interrupt_grace: Duration }
