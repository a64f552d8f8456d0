//! App Runner in process.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::super::super::ApiError;
use super::super::super::Timestamp;
use super::super::super::cloud::service as theirs;
use super::super::super::cloud::{Api, Call, Reply};
use super::chronicle::Refusal;
use super::delivery::Delivery;
use super::mishap::Kind;
use super::{Effect, Machine, State, answer, request};
use crate::names::{ServiceArn, ServiceName};
use crate::world::service::{Change, Issued, Operation, Service, Services};
use crate::world::{Obstacle, Place, WorldError};

const PLACE: Place = Place::AppRunner;

#[async_trait]
impl Services for Machine {
    async fn find(&self, name: &ServiceName) -> Result<Option<Service>, WorldError> {
        self.call((PLACE, Kind::Read, "ListServices"), |state, lag| {
            let found = state.cloud.services().filter(|service| service.name == name.as_str());
            let mut views: Vec<Value> = found.filter_map(|s| view(state, s, lag)).collect();
            views.retain(|view| view["Status"] != "DELETED");
            // One that failed to be deleted may stand beside its successor.
            views.sort_by_key(|view| view["Status"] == "DELETE_FAILED");
            views.first().map(readable).transpose()
        })
        .await
    }

    async fn describe(&self, arn: &ServiceArn) -> Result<Option<Service>, WorldError> {
        self.call((PLACE, Kind::Read, "DescribeService"), |state, lag| {
            let found = state.cloud.services().find(|service| service.arn == arn.as_str());
            let view = found.and_then(|service| view(state, service, lag));
            view.as_ref().map(readable).transpose()
        })
        .await
    }

    async fn all(&self) -> Result<Vec<Service>, WorldError> {
        self.call((PLACE, Kind::Read, "ListServices"), |state, lag| {
            let views = state.cloud.services().filter_map(|service| view(state, service, lag));
            views.map(|view| readable(&view)).collect()
        })
        .await
    }

    async fn operations(
        &self,
        arn: &ServiceArn,
        limit: Option<usize>,
    ) -> Result<Vec<Operation>, WorldError> {
        self.call((PLACE, Kind::Read, "ListOperations"), |state, lag| {
            self.desk().looked = state.now;
            let seconds = state.cloud.switches().operations_lag_seconds;
            let seen_at = state.now - i64::from(seconds) * 1_000 - lag;
            let found = state.cloud.services().find(|service| service.arn == arn.as_str());
            let Some(service) = found else {
                return Err(WorldError::refused(PLACE, "ResourceNotFoundException", "no service"));
            };
            let listed = service.operations.iter().rev();
            let listed = listed.filter_map(|operation| answer::operation(operation, seen_at));
            Ok(listed.take(limit.unwrap_or(usize::MAX)).collect())
        })
        .await
    }

    async fn create(&self, name: &ServiceName, change: &Change<'_>) -> Result<Issued, WorldError> {
        let mut body = request::body(change);
        body["ServiceName"] = name.as_str().into();
        self.change("CreateService", body, change).await
    }

    async fn update(&self, arn: &ServiceArn, change: &Change<'_>) -> Result<Issued, WorldError> {
        let mut body = request::body(change);
        body["ServiceArn"] = arn.as_str().into();
        self.change("UpdateService", body, change).await
    }

    async fn preview_create(
        &self,
        name: &ServiceName,
        change: &Change<'_>,
    ) -> Result<Value, WorldError> {
        let mut body = request::body(change);
        body["ServiceName"] = name.as_str().into();
        Ok(body)
    }

    async fn preview_update(
        &self,
        arn: &ServiceArn,
        change: &Change<'_>,
    ) -> Result<Value, WorldError> {
        let mut body = request::body(change);
        body["ServiceArn"] = arn.as_str().into();
        Ok(body)
    }
}

impl Machine {
    async fn change(
        &self,
        operation: &'static str,
        body: Value,
        change: &Change<'_>,
    ) -> Result<Issued, WorldError> {
        // One that was given up before, and asked nothing of App Runner, never arrives.
        let _never = self.take_zombie();
        let answer = self
            .call((PLACE, Kind::Change, operation), |state, _| {
                let reply = state.call(&Call::new(Api::AppRunner, operation, body.clone()));
                let answer = match reply {
                    Reply::Body(answer) => answer,
                    Reply::Refusal(refusal) => return Err(self.refused(state, &refusal)),
                    Reply::Cut | Reply::Garbage => {
                        return Err(WorldError::Unanswered { place: PLACE, reason: "cut".into() });
                    }
                };
                let issued = issued(&answer)?;
                self.witness(state, change, &issued);
                Ok(issued)
            })
            .await;
        if let Some(late) = self.take_zombie() {
            self.send_late(operation, body, change, late);
        }
        answer
    }

    /// The truth about a change that App Runner accepted.
    fn witness(&self, state: &mut State, change: &Change<'_>, issued: &Issued) {
        let desk = self.desk();
        state.effects.push(Effect {
            machine: self.number,
            mark: change.mark.clone(),
            service: issued.arn.clone(),
            operation: issued.operation.clone(),
            at: state.now,
            intended: desk.intended,
            over: desk.over,
            left: desk.left,
            late: 0,
        });
    }

    fn send_late(
        &self,
        operation: &'static str,
        body: Value,
        change: &Change<'_>,
        late: Timestamp,
    ) {
        let (mark, machine) = (change.mark.clone(), self.number);
        let desk = self.desk();
        let (intended, over) = (desk.intended, desk.over);
        drop(desk);
        let mut state = self.door.state();
        let at = state.now + late;
        let delivery = Delivery { at, machine, operation, body, mark, late, intended, over };
        state.deliver_later(delivery);
    }

    fn refused(&self, state: &mut State, error: &ApiError) -> WorldError {
        let (machine, at, code) = (self.number, state.now, error.code.clone());
        let is_busy =
            |one: &theirs::Service| one.status == theirs::ServiceStatus::OperationInProgress;
        let busy = state.cloud.services().any(is_busy);
        state.chronicle.refusals.push(Refusal { machine, at, code, busy });
        refused(error)
    }
}

/// How a service looks, with the lag of the switches and of this very answer.
fn view(state: &State, service: &theirs::Service, lag: Timestamp) -> Option<Value> {
    let lag = lag + i64::from(state.cloud.switches().service_lag_seconds) * 1_000;
    if lag == 0 { Some(service.describe()) } else { service.seen_at(state.now - lag).cloned() }
}

fn readable(view: &Value) -> Result<Service, WorldError> {
    answer::service(view)
        .ok_or_else(|| WorldError::refused(PLACE, "cannot-represent", view.to_string()))
}

pub(super) fn issued(answer: &Value) -> Result<Issued, WorldError> {
    let lost = || WorldError::Unanswered { place: PLACE, reason: "no ARN in it".into() };
    let text = answer["Service"]["ServiceArn"].as_str().ok_or_else(lost)?;
    let operation = answer["OperationId"].as_str().and_then(|id| id.parse().ok());
    Ok(Issued { arn: text.parse().map_err(|_| lost())?, operation })
}

/// As the real adapter judges.
fn refused(error: &ApiError) -> WorldError {
    let reason = json!({"code": error.code, "message": error.message}).to_string();
    let hindered = |obstacle| WorldError::Unreachable { place: PLACE, obstacle, reason };
    match error.code.as_str() {
        "ThrottlingException" => hindered(Obstacle::Throttled),
        "ExpiredTokenException" => hindered(Obstacle::ExpiredCredentials),
        _ if error.status >= 500 => {
            WorldError::Unanswered { place: PLACE, reason: error.code.clone() }
        }
        code => WorldError::refused(PLACE, code, error.message.clone()),
    }
}
