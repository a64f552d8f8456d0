//! `TagResource`, `UntagResource`, `ListTagsForResource`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Cloud;
use super::super::refusal::{invalid_request, missing};
use super::super::service::Service;
use super::create::Tags;
use super::{read, validate};
use crate::sandbox::ApiError;

/// App Runner's own limit, as for most services.
const MOST_TAGS: usize = 50;

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Tag {
    key: Option<String>,
    value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Request {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
    tag_keys: Option<Vec<String>>,
}

pub(super) fn collect(tags: &[Tag]) -> Result<Tags, ApiError> {
    let mut collected = Tags::new();
    for tag in tags {
        let key = tag.key.as_deref().ok_or_else(|| missing("tags.key"))?;
        let value = tag.value.as_deref().unwrap_or("");
        validate::tag_key(key)?;
        validate::tag_value(value)?;
        collected.insert(key.to_owned(), value.to_owned());
    }
    if collected.len() > MOST_TAGS {
        return Err(invalid_request("A resource can have at most 50 tags."));
    }
    Ok(collected)
}

impl Cloud {
    fn tagged(&mut self, request: &Request) -> Result<&mut Service, ApiError> {
        let arn = request.resource_arn.as_deref().ok_or_else(|| missing("resourceArn"))?;
        let id = self.find_arn(arn)?;
        let refusal = self.no_service(arn);
        self.services.get_mut(&id).ok_or(refusal)
    }

    pub(super) fn tag_resource(&mut self, body: &Value) -> Result<Value, ApiError> {
        let request: Request = read(body)?;
        let tags = collect(request.tags.as_deref().ok_or_else(|| missing("tags"))?)?;
        let service = self.tagged(&request)?;
        let mut all = service.tags.clone();
        all.extend(tags);
        if all.len() > MOST_TAGS {
            return Err(invalid_request("A resource can have at most 50 tags."));
        }
        service.tags = all;
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&mut self, body: &Value) -> Result<Value, ApiError> {
        let request: Request = read(body)?;
        let keys = request.tag_keys.clone().ok_or_else(|| missing("tagKeys"))?;
        let service = self.tagged(&request)?;
        service.tags.retain(|key, _| !keys.contains(key));
        Ok(json!({}))
    }

    pub(super) fn list_tags(&mut self, body: &Value) -> Result<Value, ApiError> {
        let request: Request = read(body)?;
        let tags = &self.tagged(&request)?.tags;
        let rows: Vec<_> = tags.iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect();
        Ok(json!({"Tags": rows}))
    }
}
