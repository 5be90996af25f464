//! Baileys shakes hands with the lab's server.

use std::path::Path;

use blockprobe::lab::whatsapp;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::foreign;

/// What Baileys says of the lab's server if it trusts this root key.
async fn shake(folder: &Path, root: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(whatsapp::serve(stream));
        }
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocols/baileys.mjs");
    let output = Command::new("node")
        .arg(script)
        .arg(folder)
        .args([&port.to_string(), root])
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{output:?}");
    told
}

#[tokio::test]
async fn baileys_takes_the_labs_server_for_whatsapps_by_its_root_alone() {
    let Some(folder) = foreign::baileys() else {
        return;
    };
    // The same first message as ours, but for the key.
    let told = shake(&folder, &whatsapp::noise_root()).await;
    assert_eq!(told, "authentic 5741060300002412220a20 43\n");
    let real = "142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b";
    let told = shake(&folder, real).await;
    assert_eq!(told, "refused intermediate\n");
}
