//! Prometheus scrapes: pages of exporters (dcgm-exporter, vLLM, any other) become OTLP metrics
//! requests. Takes targets from the settings, gives requests to whoever makes them durable; after
//! that a scrape is a request like any other. Modules in the order of the data.

mod target;

mod scraper;

mod exposition;

mod blank;

mod otlp;

pub mod limits;
#[cfg(test)]
mod tests;

pub use scraper::{Scraper, StartError};
pub use target::{ScrapeSettings, Secret, Target, TargetError};
