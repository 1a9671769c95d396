//! A bad network before any server: `proxy --listen 127.0.0.1:9000 --to 127.0.0.1:8080 --seed 7`.
//!
//! Runs until Ctrl-C and then prints what it did. What it does is `patrol_tests::proxy`'s.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use patrol_tests::proxy::{Proxy, Weather};

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
    /// How bad it is: fair (everything passes, and is counted), rural, 2g.
    #[arg(long, default_value = "rural", value_parser = weather)]
    weather: Weather,
}

fn weather(name: &str) -> Result<Weather, String> {
    Weather::named(name).ok_or_else(|| "fair, rural or 2g".to_owned())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a command's output")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let proxy = match Proxy::start(options.listen, options.to, options.seed, options.weather).await
    {
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
