//! A WebSocket echo load generator, the counterpart of `wrk` for messages.
//!
//! Each of C connections sends a text message, waits for its echo, compares the two and sends the next, for S seconds.
//! One thread. The result is one line of JSON: messages per second, and how many connections failed and why.
//!
//! ```text
//! websocket-load --port 3000 --path /echo --connections 64 --seconds 2
//! ```

mod connection;
mod frame;
mod options;
mod report;

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};

use connection::Connection;
use options::Options;
use report::Report;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("websocket-load: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("websocket-load: {error}");
            return ExitCode::FAILURE;
        }
    };
    let report = LocalSet::new().block_on(&runtime, load(options));
    println!("{report}");
    if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Opens all connections first, so that no handshake is timed, then echoes on all of them until the time is over.
async fn load(options: Options) -> Report {
    let mut report = Report::default();
    let mut open = Vec::with_capacity(options.connections);
    for number in 0..options.connections {
        match Connection::open(options.port, &options.path, number, options.size).await {
            Ok(connection) => open.push(connection),
            Err(error) => report.errors.push(error.to_string()),
        }
    }
    let messages = Rc::new(Cell::new(0_u64));
    let start = Instant::now();
    let end = start + options.duration;
    let tasks: Vec<_> = open
        .into_iter()
        .map(|mut connection| {
            let messages = messages.clone();
            spawn_local(async move {
                while Instant::now() < end {
                    connection.echo().await?;
                    messages.set(messages.get() + 1);
                }
                Ok::<_, connection::Failure>(())
            })
        })
        .collect();
    for task in tasks {
        match task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report.errors.push(error.to_string()),
            Err(error) => report.errors.push(error.to_string()),
        }
    }
    report.seconds = start.elapsed().as_secs_f64();
    report.messages = messages.get();
    report
}
