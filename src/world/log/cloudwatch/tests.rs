use serde_json::{Value, json};

use super::*;
use crate::world::Obstacle;
use crate::world::aws::scripted::{Answer, Endpoint, Rude, closed, connection_to, rude};

fn query(limit: usize) -> LogQuery {
    LogQuery {
        service: "shop".parse().unwrap(),
        service_id: "f601".into(),
        source: LogSource::Service,
        stream_prefix: Some("deployment/8f2c".into()),
        since: DateTime::from_timestamp_millis(1_750_000_000_123).unwrap(),
        until: None,
        limit,
    }
}

fn event(id: u32) -> Value {
    json!({ "eventId": id.to_string(), "timestamp": 1_750_000_000_000_i64 + i64::from(id),
            "message": format!("line {id}"), "logStreamName": "events" })
}

fn page(ids: &[u32], next: Option<&str>) -> Answer {
    let events: Vec<Value> = ids.iter().map(|id| event(*id)).collect();
    Answer::json(200, &json!({ "events": events, "nextToken": next }))
}

async fn read(pages: &[Answer], query: &LogQuery) -> (Endpoint, LogPage) {
    let endpoint = Endpoint::start().await;
    for page in pages {
        endpoint.on("FilterLogEvents", page.clone());
    }
    let found = CloudWatchLogs::new(&endpoint.connection()).lines(query).await.unwrap();
    (endpoint, found)
}

fn ids(page: &LogPage) -> Vec<&str> {
    page.lines.iter().map(|line| line.id.as_str()).collect()
}

#[tokio::test]
async fn lines_come_oldest_first_from_all_pages() {
    let (endpoint, found) =
        read(&[page(&[1, 2], Some("n")), page(&[], Some("m")), page(&[2, 3], None)], &query(10))
            .await;
    assert!(found.group_exists);
    assert_eq!(ids(&found), ["1", "2", "3"]);
    assert_eq!(found.lines[0].text, "line 1");
    let asked = endpoint.asked();
    assert_eq!(
        asked[0].json(),
        json!({
        "logGroupName": "/aws/apprunner/shop/f601/service", "logStreamNamePrefix": "deployment/8f2c",
        "startTime": 1_750_000_000_123_i64, "startFromHead": false })
    );
    assert_eq!(asked[2].json()["nextToken"], "m");
}

#[tokio::test]
async fn the_newest_lines_are_kept_whatever_order_they_come_in() {
    let (endpoint, newest_first) = read(&[page(&[9, 8, 7], Some("n"))], &query(2)).await;
    assert_eq!(ids(&newest_first), ["8", "9"]);
    assert_eq!(endpoint.asked().len(), 1, "enough is enough");
    let (_, oldest_first) =
        read(&[page(&[1, 2, 3], Some("n")), page(&[4, 5], None)], &query(2)).await;
    assert_eq!(ids(&oldest_first), ["4", "5"]);
}

#[tokio::test]
async fn a_page_says_whether_it_is_all_that_was_asked_for() {
    let cut = |pages: Vec<Answer>, limit| async move { read(&pages, &query(limit)).await.1.is_cut };
    assert!(!cut(vec![page(&[3, 2, 1], None)], 3).await, "just as many as were asked for");
    assert!(cut(vec![page(&[3, 2, 1], None)], 2).await, "one more");
    assert!(cut(vec![page(&[3, 2], Some("n"))], 2).await, "there may be more");
    assert!(cut(vec![page(&[1], Some("again"))], 5).await, "asked no more");
}

#[tokio::test]
async fn an_old_beginning_is_not_asked_newest_first() {
    let mut query = query(5);
    query.since = DateTime::from_timestamp(1_600_000_000, 0).unwrap();
    query.source = LogSource::Application;
    query.stream_prefix = None;
    let (endpoint, _) = read(&[page(&[], None)], &query).await;
    let expected = json!({ "logGroupName": "/aws/apprunner/shop/f601/application", "startTime": 1_600_000_000_000_i64 });
    assert_eq!(endpoint.asked()[0].json(), expected);
}

#[tokio::test]
async fn a_group_that_is_not_there_is_a_finding_and_an_empty_one_another() {
    let missing =
        Answer::error(400, "ResourceNotFoundException", "The specified log group does not exist.");
    assert_eq!(read(&[missing], &query(5)).await.1, LogPage::default());
    assert_eq!(
        read(&[page(&[], None)], &query(5)).await.1,
        LogPage { group_exists: true, ..LogPage::default() }
    );
}

#[tokio::test]
async fn pages_without_end_are_left() {
    let (endpoint, found) = read(&[page(&[1], Some("again"))], &query(5)).await;
    assert_eq!(endpoint.asked().len(), PAGES);
    assert_eq!(ids(&found), ["1"]);
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let slow = Answer::error(400, "ThrottlingException", "Rate exceeded");
    let (endpoint, found) = read(&[slow, page(&[1], None)], &query(5)).await;
    assert_eq!((endpoint.asked().len(), found.lines.len()), (2, 1));
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (answer, expected) in [
        (Answer::error(400, "InvalidParameterException", "no"), None),
        (Answer::error(400, "AccessDeniedException", "no"), None),
        (Answer::error(500, "ServiceUnavailableException", "no"), Some(Obstacle::Broken)),
        (Answer::error(400, "ThrottlingException", "no"), Some(Obstacle::Throttled)),
        (Answer::error(400, "ExpiredTokenException", "no"), Some(Obstacle::ExpiredCredentials)),
        (Answer::text(200, ""), Some(Obstacle::Broken)),
        (Answer::text(200, "<html>"), Some(Obstacle::Broken)),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on("FilterLogEvents", answer.clone());
        let error = CloudWatchLogs::new(&endpoint.connection()).lines(&query(5)).await.unwrap_err();
        match (&error, expected) {
            (WorldError::Refused { .. }, None) => {}
            (WorldError::Unreachable { obstacle, .. }, Some(expected)) if *obstacle == expected => {
            }
            _ => panic!("{answer:?}: {error:?}"),
        }
    }
    for address in [rude(Rude::Resets).await, closed().await] {
        let error =
            CloudWatchLogs::new(&connection_to(address)).lines(&query(5)).await.unwrap_err();
        assert!(matches!(error, WorldError::Unreachable { obstacle: Obstacle::Network, .. }));
    }
}
