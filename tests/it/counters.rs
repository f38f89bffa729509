//! The counters of an inference server that restarts, scraped by the running binary: what it counted
//! in both lives is counted, with and without the time of its start on the page.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::binary::{rows, start};

/// What a vLLM server exposes of its tokens; `born` is when it started, where it says so.
fn page(prompt: u64, generation: u64, born: Option<u64>) -> String {
    let counter = |name: &str, value: u64| {
        let labels = "{engine=\"0\",model_name=\"llama\"}";
        let created = born.map_or_else(String::new, |at| {
            format!("# TYPE vllm:{name}_created gauge\nvllm:{name}_created{labels} {at}.5\n")
        });
        format!("# TYPE vllm:{name}_total counter\nvllm:{name}_total{labels} {value}.0\n{created}")
    };
    counter("prompt_tokens", prompt) + &counter("generation_tokens", generation)
}

/// Serves the page, as it is at the moment, to whoever asks.
async fn exporter(page: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let page = page.lock().unwrap().clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close";
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{page}", page.len());
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}/metrics")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_inference_server_is_counted_in_both_its_lives() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let told = Arc::new(Mutex::new(page(1_000, 100, Some(now - 3_600))));
    let untold = Arc::new(Mutex::new(page(1_000, 100, None)));
    let (with_start, without) =
        (exporter(Arc::clone(&told)).await, exporter(Arc::clone(&untold)).await);
    let folder = tempfile::tempdir().unwrap();
    let target = |job: &str, url: &str| {
        format!("[[scrape.targets]]\nurl = \"{url}\"\njob = \"{job}\"\ninterval = \"1s\"\n")
    };
    let settings = format!(
        "flush_interval = \"20ms\"\n{}{}",
        target("told", &with_start),
        target("untold", &without)
    );
    let (_server, _, api) = start(folder.path(), &settings);

    let seen = async |value: u64| {
        let query = format!(
            "SELECT count(DISTINCT service_name) FROM metric_points \
             WHERE metric_name = 'vllm:prompt_tokens_total' AND value = {value}"
        );
        let asked = Instant::now();
        while rows(&api, &query).await != [json!([2])] {
            assert!(asked.elapsed() < Duration::from_secs(30), "{value} was not scraped twice");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    seen(1_000).await;
    // 500 and 50 more, then a restart, then 700 and 70: more than before it died, so that only its
    // start tells the whole of the second life.
    *told.lock().unwrap() = page(1_500, 150, Some(now - 3_600));
    *untold.lock().unwrap() = page(1_500, 150, None);
    seen(1_500).await;
    *told.lock().unwrap() = page(1_700, 170, Some(now - 5));
    *untold.lock().unwrap() = page(700, 70, None);
    let query = "SELECT count(*) FROM metric_points WHERE metric_name = 'vllm:prompt_tokens_total' \
                 AND value IN (1700, 700) HAVING count(DISTINCT service_name) = 2";
    let asked = Instant::now();
    while rows(&api, query).await.is_empty() {
        assert!(asked.elapsed() < Duration::from_secs(30), "the restart was not scraped");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // Told: 1,500 since its start and 1,700 since the next. Untold: the first 1,000 are not known, then
    // 500, and 700 of the second life.
    let query = "SELECT service_name, usage, state, metric_tokens, unknown_points \
                 FROM counters(by => 'service_name') ORDER BY 1, 2";
    let expected = [
        json!(["told", "input", "metrics-only", 3_200, 0]),
        json!(["told", "output", "metrics-only", 320, 0]),
        json!(["untold", "input", "metrics-only", 1_200, 1]),
        json!(["untold", "output", "metrics-only", 120, 1]),
    ];
    assert_eq!(rows(&api, query).await, expected);
    let resets = "SELECT service_name, increase FROM metric_increases \
                  WHERE metric_name = 'vllm:prompt_tokens_total' AND increase_basis = 'reset' ORDER BY 1";
    let expected = [json!(["told", 1_700.0]), json!(["untold", 700.0])];
    assert_eq!(rows(&api, resets).await, expected);
}
