//! The smallest hyper server with slimeweb's structure: what hyper alone can do on this machine, with no Python in it.
//!
//! One acceptor hands connections to the least-loaded of N threads, each a tokio `current_thread` runtime. It answers
//! the benchmark's workloads with the bytes that slimeweb answers, and nothing more: no limits, no router, no timeouts.
//!
//! ```text
//! bare-hyper --threads 2 --port 3000 --static benchmarks/apps/static
//! ```

mod acceptor;
mod answers;
mod body;
mod options;
mod worker;

use std::process::ExitCode;
use std::rc::Rc;

use options::Options;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare-hyper: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let listener = acceptor::listen(options.port)?;
    let workers = (0..options.threads)
        .map(|number| {
            let files = options.files.clone();
            worker::start(number, move || Rc::new(answers::Answers::new(files)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    println!("listening on http://{} with {} threads", listener.local_addr()?, workers.len());
    acceptor::accept(&listener, &workers)?;
    Ok(())
}
