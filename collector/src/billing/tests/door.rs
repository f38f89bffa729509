//! The HTTP door: reports, problems, bounds, and who may come in.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use spanledger_store::Store;
use tempfile::TempDir;
use tower::ServiceExt;

use super::bill;
use crate::billing::limits::FILE_BYTES_MAX;
use crate::billing::{Importer, http::router};

/// The token is the tenant's name.
fn tenant_of(headers: &HeaderMap) -> Option<Arc<str>> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(Arc::from)
}

async fn door() -> (Router, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    (router(Importer::new(store), tenant_of), folder)
}

async fn send(
    door: &Router,
    method: &str,
    query: &str,
    token: Option<&str>,
    body: impl Into<Body>,
) -> (StatusCode, HeaderMap, Value) {
    let uri = format!("/api/v1/billing/imports{query}");
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let answer = door.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_bill_comes_in_and_is_listed_for_its_tenant_only() {
    let (door, _folder) = door().await;
    let query = "?format=focus&source=acme%20cloud&file_name=oct.csv";
    let (status, _, report) = send(&door, "POST", query, Some("t1"), bill(&[])).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert_eq!(report["outcome"], "imported");
    assert_eq!(report["source"], "acme cloud");
    assert_eq!(report["periods"][0]["sums"][0], json!({"currency": "USD", "billed_cost": "1.5"}));
    let (status, _, listed) = send(&door, "GET", "", Some("t1"), Body::empty()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(listed[0]["file_name"], "oct.csv");
    assert_eq!(listed[0]["import_id"], report["import_id"]);
    let (_, _, others) = send(&door, "GET", "", Some("t2"), Body::empty()).await;
    assert_eq!(others, json!([]));
}

#[tokio::test]
async fn a_broken_bill_is_a_problem_that_lists_what_is_wrong() {
    let (door, _folder) = door().await;
    let broken = bill(&[("BilledCost", "1,5")]);
    let query = "?format=focus&file_name=oct.csv";
    let (status, headers, problem) = send(&door, "POST", query, Some("t"), broken).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(problem["status"], 422);
    assert_eq!(
        problem["detail"],
        "billing row 1 of `oct.csv`: `BilledCost` is `1,5`, expected a decimal such as `-1204.5`"
    );
    assert_eq!(
        problem["errors"],
        json!([{"row": 1, "column": "BilledCost", "found": "`1,5`",
            "expected": "a decimal such as `-1204.5`"}])
    );
    assert!(problem["hint"].as_str().unwrap().starts_with("nothing of the file was imported"));
}

#[tokio::test]
async fn wrong_requests_are_told_apart() {
    let (door, _folder) = door().await;
    for (query, token, body, expected) in [
        ("?format=focus", None, bill(&[]), StatusCode::UNAUTHORIZED),
        ("", Some("t"), bill(&[]), StatusCode::BAD_REQUEST),
        ("?format=cur", Some("t"), bill(&[]), StatusCode::BAD_REQUEST),
        ("?format=focus&sourc=a", Some("t"), bill(&[]), StatusCode::BAD_REQUEST),
        ("?format=focus&source=", Some("t"), bill(&[]), StatusCode::BAD_REQUEST),
        ("?format=focus", Some("t"), b"PK\x03\x04".to_vec(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let (status, _, problem) = send(&door, "POST", query, token, body).await;
        assert_eq!(status, expected, "{query}: {problem}");
        assert_eq!(problem["status"], expected.as_u16());
        assert!(!problem["hint"].as_str().unwrap().is_empty(), "{query}: {problem}");
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_refused_before_it_comes() {
    let (door, _folder) = door().await;
    let request = Request::post("/api/v1/billing/imports?format=focus")
        .header(header::AUTHORIZATION, "Bearer t")
        .header(header::CONTENT_LENGTH, FILE_BYTES_MAX + 1)
        .body(Body::from("x"))
        .unwrap();
    let answer = door.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}
