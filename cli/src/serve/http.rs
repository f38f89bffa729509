//! The HTTP door: the query service's API, imports of bills and prices, health, metrics, and a front
//! page that says where things are.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use spanledger_collector::billing;
use spanledger_ledger::prices;
use spanledger_schemas::Problem;

use super::parts::{Health, Parts};

/// Everything behind the HTTP door.
pub fn router(parts: &Parts, metrics: PrometheusHandle) -> Router {
    let health = parts.health();
    let mut app = Router::new()
        .route("/", get(|| async { Html(include_str!("front.html")) }))
        .route("/health/live", get(|| async { Json(Live { status: "live" }) }))
        .route("/health/ready", get(ready).with_state(health.clone()))
        .route("/metrics", get(render).with_state((metrics, health)));
    if let (Some(importer), Some(collector)) = (&parts.importer, parts.collector.clone()) {
        let tenant_of = move |headers: &HeaderMap| collector.authenticator().tenant(headers).ok();
        app = app.merge(billing::http::router(importer.clone(), tenant_of.clone()));
        app = app.merge(prices::http::router(parts.store.clone(), tenant_of));
    }
    if let Some(query) = &parts.query {
        app = app.merge(query.http_router());
    }
    app.fallback(nothing_here).method_not_allowed_fallback(no_such_method)
}

/// What is said of a path that is none of ours.
async fn nothing_here(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let hint = match path {
        "/v1/traces" | "/v1/metrics" | "/v1/logs" => {
            "OTLP over HTTP has a door of its own, port 4318 unless `otlp_http_addr` says otherwise"
        }
        _ => "`/api/v1/openapi.json` lists the paths, `/` says where things are",
    };
    let detail = format!("{method} `{path}`: there is nothing here");
    Problem::new(StatusCode::NOT_FOUND, "no such path", detail)
        .with_hint(hint)
        .response()
        .into_response()
}

/// What is said of a path that takes other methods.
async fn no_such_method(method: Method, uri: Uri) -> Response {
    let detail = format!("{method} `{}`: the path does not take this method", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no such method", detail)
        .with_hint("`/api/v1/openapi.json` lists the methods of each path")
        .response()
        .into_response()
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

/// 200 when every part can do its work, else 503; the parts and their reasons in both cases
/// (I-11).
async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

/// The numbers of this process in the Prometheus text format.
async fn render(State((metrics, health)): State<(PrometheusHandle, Health)>) -> impl IntoResponse {
    health.measure();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render())
}
