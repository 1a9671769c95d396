//! A bad network before any server: `proxy --listen 127.0.0.1:9000 --to 127.0.0.1:8080 --seed 7`.
//!
//! Runs until Ctrl-C and then prints what it did. What it does is `patrol_tests::proxy`'s.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use patrol_tests::proxy::{FAIR, Proxy, RURAL};

#[derive(Parser)]
struct Options {
    /// Where clients come.
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    to: SocketAddr,
    /// What happens follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lets everything pass, and only counts.
    #[arg(long)]
    fair: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a command's output")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let weather = if options.fair { FAIR } else { RURAL };
    let proxy = match Proxy::start(options.listen, options.to, options.seed, weather).await {
        Ok(proxy) => proxy,
        Err(error) => {
            println!("cannot listen at {}: {error}", options.listen);
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{} leads to {}, seed {}",
        proxy.url(),
        options.to,
        options.seed
    );
    drop(tokio::signal::ctrl_c().await);
    for (what, times) in proxy.counts().named() {
        println!("{times:>12}  {what}");
    }
    ExitCode::SUCCESS
}
