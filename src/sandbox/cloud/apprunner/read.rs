//! DescribeService, `ListServices`, ListOperations, `DescribeAutoScalingConfiguration`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Cloud;
use super::super::call::Touch;
use super::super::refusal::{constraint, invalid_request, missing, not_found};
use super::super::service::{auto_scaling, summary};
use super::{default_auto_scaling, read, validate};
use crate::sandbox::ApiError;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    max_results: Option<i64>,
    next_token: Option<String>,
}

impl Page {
    /// 1 to 20; everything when omitted (service model).
    fn cut(&self, rows: Vec<Value>) -> Result<(Vec<Value>, Option<String>), ApiError> {
        let limit = match self.max_results {
            None => usize::MAX,
            Some(limit) if (1..=20).contains(&limit) => usize::try_from(limit).unwrap_or(20),
            Some(limit) => {
                let rule = if limit < 1 {
                    "greater than or equal to 1"
                } else {
                    "less than or equal to 20"
                };
                return Err(constraint(
                    &limit.to_string(),
                    "maxResults",
                    &format!("Member must have value {rule}"),
                ));
            }
        };
        let offset = match self.next_token.as_deref() {
            None => 0,
            Some(token) => token
                .strip_prefix("page-")
                .and_then(|number| number.parse::<usize>().ok())
                .ok_or_else(|| invalid_request("NextToken is invalid."))?,
        };
        let end = offset.saturating_add(limit);
        let token = (rows.len() > end).then(|| format!("page-{end}"));
        Ok((rows.into_iter().skip(offset).take(limit).collect(), token))
    }
}

impl Cloud {
    fn seen_at(&self, lag_seconds: u32, touch: Touch) -> i64 {
        self.now - self.pace.scale(i64::from(lag_seconds) * 1_000) - touch.lag
    }

    pub(super) fn describe_service(&self, body: &Value, touch: Touch) -> Result<Value, ApiError> {
        let service = self.service_at(&self.find(body)?)?;
        let seen_at = self.seen_at(self.switches.service_lag_seconds, touch);
        let view = if seen_at == self.now {
            Some(service.describe())
        } else {
            service.seen_at(seen_at).cloned()
        };
        Ok(json!({"Service": view.ok_or_else(|| self.no_service(&service.arn))?}))
    }

    pub(super) fn list_services(&self, body: &Value, touch: Touch) -> Result<Value, ApiError> {
        let page: Page = read(body)?;
        let seen_at = self.seen_at(self.switches.service_lag_seconds, touch);
        let mut services: Vec<_> = self.services.values().collect();
        services
            .sort_by_key(|service| std::cmp::Reverse((service.created_at, service.id.as_str())));
        let rows = services.into_iter().filter_map(|service| service.seen_at(seen_at)).map(summary);
        let (rows, token) = page.cut(rows.collect())?;
        let mut answer = json!({"ServiceSummaryList": rows});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer)
    }

    pub(super) fn list_operations(&self, body: &Value, touch: Touch) -> Result<Value, ApiError> {
        let page: Page = read(body)?;
        let service = self.service_at(&self.find(body)?)?;
        let seen_at = self.seen_at(self.switches.operations_lag_seconds, touch);
        // Newest started first (service model).
        let rows = service.operations.iter().rev();
        let rows = rows.filter_map(|operation| operation.summary(&service.arn, seen_at));
        let (rows, token) = page.cut(rows.collect())?;
        let mut answer = json!({"OperationSummaryList": rows});
        if let Some(token) = token {
            answer["NextToken"] = json!(token);
        }
        Ok(answer)
    }

    pub(super) fn describe_auto_scaling(&self, body: &Value) -> Result<Value, ApiError> {
        let arn = body["AutoScalingConfigurationArn"]
            .as_str()
            .ok_or_else(|| missing("autoScalingConfigurationArn"))?;
        validate::arn(arn, "autoScalingConfigurationArn")?;
        let own = default_auto_scaling(&self.region);
        // A name without revision and id means the newest revision (service model).
        if arn != own && !own.starts_with(&format!("{arn}/")) {
            return Err(not_found(format!("Auto scaling configuration does not exist: {arn}.")));
        }
        let mut found = auto_scaling(&own);
        for (name, value) in [
            ("Latest", json!(true)),
            ("Status", json!("ACTIVE")),
            ("MaxConcurrency", json!(100)),
            ("MinSize", json!(1)),
            ("MaxSize", json!(25)),
            ("CreatedAt", json!(0)),
            ("HasAssociatedService", json!(!self.services.is_empty())),
            ("IsDefault", json!(true)),
        ] {
            found[name] = value;
        }
        Ok(json!({"AutoScalingConfiguration": found}))
    }
}
