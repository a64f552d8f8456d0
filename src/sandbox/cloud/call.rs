//! One call: let in, performed, answered, recorded.

use serde_json::Value;

use super::fault::{FaultKind, PullFault, striking};
use super::image::Images;
use super::record::{self, RecordedCall};
use super::refusal::refuse;
use super::service::{Doom, Failure, Outcome};
use super::switches::TypePrefix;
use super::{ACCOUNT, Cloud, Due, logs, secrets};
use crate::sandbox::{ApiError, Timestamp};

/// Whose API is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// App Runner.
    AppRunner,
    /// CloudWatch Logs.
    Logs,
    /// Secrets Manager.
    SecretsManager,
    /// STS.
    Sts,
    /// IAM.
    Iam,
    /// ECR; answered by the registry, let in and recorded here.
    Ecr,
}

impl Api {
    /// The name in actions, such as `apprunner` in `apprunner:UpdateService`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AppRunner => "apprunner",
            Self::Logs => "logs",
            Self::SecretsManager => "secretsmanager",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Ecr => "ecr",
        }
    }

    fn is_query(self) -> bool {
        matches!(self, Self::Sts | Self::Iam)
    }
}

/// A call as it comes in.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Whose.
    pub api: Api,
    /// Operation name.
    pub operation: String,
    /// JSON body, or the flat Query parameters as an object of texts.
    pub body: Value,
    /// The access key it was signed with.
    pub access_key: Option<String>,
}

impl Call {
    /// A call without a key, as the in-process door makes it.
    pub fn new(api: Api, operation: &str, body: Value) -> Self {
        Self { api, operation: operation.to_owned(), body, access_key: None }
    }
}

/// What goes back.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Success.
    Body(Value),
    /// A refusal or a server error.
    Refusal(ApiError),
    /// The connection is cut.
    Cut,
    /// Bytes that are no answer.
    Garbage,
}

/// What goes back, and how late.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What.
    pub reply: Reply,
    /// How late, in the sandbox's milliseconds.
    pub delay: u64,
}

/// A call that was let in.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    entry: RecordedCall,
    after: Vec<FaultKind>,
    delay: u64,
    touch: Touch,
    api: Api,
}

/// What faults do to the effect of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) doom: Doom,
    /// This answer shows the world as it was so long ago.
    pub(crate) lag: i64,
}

impl Cloud {
    /// Answers one call of any service but ECR.
    pub fn call(&mut self, call: &Call, images: &dyn Images, now: Timestamp) -> Answer {
        match self.admit(call, images, now) {
            Err(answer) => answer,
            Ok(ticket) => {
                let result = self.perform(call, ticket.touch, images);
                self.settle(ticket, result, images)
            }
        }
    }

    /// Lets a call in, or answers it at once: expired keys, throttling, faults before the effect.
    pub fn admit(
        &mut self,
        call: &Call,
        images: &dyn Images,
        now: Timestamp,
    ) -> Result<Ticket, Answer> {
        self.advance(now, images);
        let struck = striking(&mut self.faults, &call.operation, &mut self.chance);
        let key = call.access_key.clone();
        let entry = record::entry(now, call.api.name(), &call.operation, &call.body, key);
        let mut ticket =
            Ticket { entry, after: Vec::new(), delay: 0, touch: Touch::default(), api: call.api };
        let mut early = self.refuse_early(call);
        for kind in struck {
            match self.apply_before(&kind, call, &mut ticket, images) {
                Some(reply) => early = early.or(Some(reply)),
                None => ticket.after.push(kind),
            }
        }
        match early {
            Some(reply) => Err(self.close(ticket, reply, false)),
            None => Ok(ticket),
        }
    }

    /// Ends a call that was let in: faults after the effect, and the record.
    pub fn settle(
        &mut self,
        mut ticket: Ticket,
        result: Result<Value, ApiError>,
        images: &dyn Images,
    ) -> Answer {
        let effective = ticket.entry.mutating && result.is_ok();
        if let Ok(body) = &result {
            ticket.entry.operation_id = body["OperationId"].as_str().map(ToOwned::to_owned);
        }
        let mut reply = match result {
            Ok(body) => Reply::Body(body),
            Err(error) => Reply::Refusal(error),
        };
        for kind in std::mem::take(&mut ticket.after) {
            if let Some(instead) = self.apply_after(&kind, ticket.api, images) {
                reply = instead;
            }
        }
        self.close(ticket, reply, effective)
    }

    fn close(&mut self, mut ticket: Ticket, reply: Reply, effective: bool) -> Answer {
        ticket.entry.effective = effective;
        ticket.entry.outcome = match &reply {
            Reply::Body(_) => "ok".to_owned(),
            Reply::Refusal(error) => error.code.clone(),
            Reply::Cut => "cut".to_owned(),
            Reply::Garbage => "garbage".to_owned(),
        };
        self.record.add(ticket.entry);
        Answer { reply, delay: ticket.delay }
    }

    fn refuse_early(&mut self, call: &Call) -> Option<Reply> {
        let expired = call.access_key.as_ref().is_some_and(|key| self.expired_keys.contains(key));
        if expired {
            return Some(Reply::Refusal(expired_token(call.api)));
        }
        if call.api == Api::AppRunner && self.too_many_calls() {
            return Some(Reply::Refusal(throttled(call.api)));
        }
        if call.operation == "GetCallerIdentity" {
            return None;
        }
        let action = format!("{}:{}", call.api.name(), call.operation);
        let message = self.identity.check_user(&action, resource_of(call)).err()?;
        Some(Reply::Refusal(denied(call.api, message)))
    }

    fn too_many_calls(&mut self) -> bool {
        let limit = self.switches.calls_per_second;
        let second = self.now / 1_000;
        if self.recent_calls.0 != second {
            self.recent_calls = (second, 0);
        }
        self.recent_calls.1 += 1;
        limit > 0 && self.recent_calls.1 > limit
    }

    /// `Some` ends the call before any effect.
    fn apply_before(
        &mut self,
        kind: &FaultKind,
        call: &Call,
        ticket: &mut Ticket,
        images: &dyn Images,
    ) -> Option<Reply> {
        let refusal = match kind {
            FaultKind::Throttle => throttled(call.api),
            FaultKind::ErrorBeforeEffect => server_error(call.api),
            FaultKind::ExpiredCredentials => expired_token(call.api),
            FaultKind::AccessDenied => {
                let action = format!("{}:{}", call.api.name(), call.operation);
                let because = "because no identity-based policy allows the action";
                denied(call.api, self.identity.denial(&action, resource_of(call), because))
            }
            FaultKind::CutBeforeEffect => return Some(Reply::Cut),
            FaultKind::SlowAnswer { milliseconds } => {
                ticket.delay = ticket.delay.max(*milliseconds);
                return None;
            }
            FaultKind::Lag { milliseconds } => {
                ticket.touch.lag = *milliseconds;
                return None;
            }
            FaultKind::Foreign { service, act, before: true, .. } => {
                self.act_foreign(service, act, self.now, images);
                return None;
            }
            work if work.is_about_work() => {
                doom(&mut ticket.touch.doom, work);
                return None;
            }
            _ => return None,
        };
        Some(Reply::Refusal(refusal))
    }

    /// `Some` replaces the answer although the call took effect.
    fn apply_after(&mut self, kind: &FaultKind, api: Api, images: &dyn Images) -> Option<Reply> {
        match kind {
            FaultKind::ErrorAfterEffect => Some(Reply::Refusal(server_error(api))),
            FaultKind::CutAfterEffect => Some(Reply::Cut),
            FaultKind::GarbageAnswer => Some(Reply::Garbage),
            FaultKind::Foreign { service, act, after_milliseconds, before: false } => {
                if *after_milliseconds > 0 {
                    let due = Due::Foreign { service: service.clone(), act: act.clone() };
                    self.plan(self.now + after_milliseconds, due);
                } else {
                    self.act_foreign(service, act, self.now, images);
                }
                None
            }
            FaultKind::Maintenance { service, milliseconds } => {
                self.maintain(service, *milliseconds);
                None
            }
            _ => None,
        }
    }

    fn perform(
        &mut self,
        call: &Call,
        touch: Touch,
        images: &dyn Images,
    ) -> Result<Value, ApiError> {
        let (operation, body, now) = (call.operation.as_str(), &call.body, self.now);
        match call.api {
            Api::AppRunner => self.answer_app_runner(operation, body, touch, images),
            Api::Logs => {
                let lag = self.pace.scale(i64::from(self.switches.logs_lag_seconds) * 1_000);
                let visible_until =
                    if lag + touch.lag > 0 { now - lag - touch.lag } else { i64::MAX };
                let reader = logs::Reader { region: &self.region, account: ACCOUNT, visible_until };
                self.logs.answer(operation, body, reader)
            }
            Api::SecretsManager => {
                let chance = &mut self.chance;
                let mut setting =
                    secrets::Setting { region: &self.region, account: ACCOUNT, now, chance };
                self.secrets.answer(operation, body, &mut setting)
            }
            Api::Sts => self.identity.answer_sts(operation, body, now, &mut self.chance),
            Api::Iam => self.identity.answer_iam(operation, body, now, &mut self.chance),
            Api::Ecr => Err(super::unknown_operation()),
        }
    }

    /// The `__type` of an error, as the switch says.
    pub fn error_type(&self, api: Api, code: &str) -> String {
        match (self.switches.type_prefix, api) {
            (TypePrefix::Namespace, Api::AppRunner) => format!("com.amazonaws.apprunner#{code}"),
            _ => code.to_owned(),
        }
    }
}

fn doom(doom: &mut Doom, kind: &FaultKind) {
    match kind {
        FaultKind::SlowOperation { factor } => doom.slowness = *factor,
        FaultKind::FailHealth => doom.outcome = Some(Outcome::Unhealthy),
        FaultKind::ExitContainer { code } => doom.outcome = Some(Outcome::Exited { code: *code }),
        FaultKind::RollbackFailed => doom.rollback_fails = true,
        FaultKind::FailDelete => doom.delete_fails = true,
        FaultKind::FailPull { reason } => {
            doom.pull = Some(match reason {
                PullFault::Copy => Failure::CopyFailed,
                PullFault::Missing => Failure::ImageMissing,
                PullFault::Role => Failure::InvalidAccessRole,
                PullFault::RoleOlder => Failure::InvalidAccessRoleOlder,
            });
        }
        _ => {}
    }
}

fn resource_of(call: &Call) -> &str {
    ["ServiceArn", "ResourceArn", "SecretId", "RoleArn"]
        .iter()
        .find_map(|name| call.body.get(name)?.as_str())
        .unwrap_or("*")
}

fn throttled(api: Api) -> ApiError {
    refuse(if api.is_query() { "Throttling" } else { "ThrottlingException" }, "Rate exceeded")
}

fn server_error(api: Api) -> ApiError {
    let code = match api {
        Api::AppRunner => "InternalServiceErrorException",
        Api::Logs => "ServiceUnavailableException",
        Api::SecretsManager => "InternalServiceError",
        Api::Ecr => "ServerException",
        Api::Sts => "InternalFailure",
        Api::Iam => "ServiceFailure",
    };
    ApiError { status: 500, ..refuse(code, "An internal error occurred.") }
}

pub(crate) fn expired_token(api: Api) -> ApiError {
    let message = "The security token included in the request is expired";
    if api.is_query() {
        ApiError { status: 403, ..refuse("ExpiredToken", message) }
    } else {
        refuse("ExpiredTokenException", message)
    }
}

fn denied(api: Api, message: String) -> ApiError {
    if api.is_query() {
        ApiError { status: 403, ..refuse("AccessDenied", message) }
    } else {
        refuse("AccessDeniedException", message)
    }
}
