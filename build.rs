//! Builds the demo's web application beside surefoot: a static Linux binary, so that an image with
//! nothing else in it runs.
//!
//! Where the host cannot link statically the file is empty, and `surefoot demo` says so.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=demo/app.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).expect("cargo sets it for build scripts");
    let application = PathBuf::from(variable("OUT_DIR")).join("demo-app");
    let target = variable("TARGET");
    let built = target == "x86_64-unknown-linux-gnu" || target == "x86_64-unknown-linux-musl";
    let built = built
        && Command::new(variable("RUSTC"))
            .args(["--edition", "2024", "--crate-name", "app", "--target", &target])
            .args(["-C", "target-feature=+crt-static", "-C", "opt-level=s", "-C", "panic=abort"])
            .args(["-C", "strip=symbols", "demo/app.rs", "-o"])
            .arg(&application)
            .status()
            .is_ok_and(|status| status.success());
    if !built {
        println!("cargo::warning=the demo's web application could not be linked statically");
        std::fs::write(&application, b"").expect("OUT_DIR can be written");
    }
}
