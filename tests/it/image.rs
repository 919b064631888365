//! What people deploy: the image, made and started by its own steps in a private root of Debian. The program in it is the one that
//! tests run: building another one for this would take many minutes, and is one line of `scripts/image.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::json;
use tests::process::Process;
use tests::{Database, service, setting, skipped, until};
use uuid::Uuid;

const ALL: &str = "api,relay,projector,policy,reactor";
const WAIT: Duration = Duration::from_secs(60);
/// The number of the image's user, as volumes of before have it.
const USER: &str = "10001";
/// What `./dev` says on a machine that cannot do it.
const NOT_HERE: i32 = 3;

/// The image's root, gone when dropped.
struct Image(PathBuf);

impl Image {
    /// `None` where it cannot be made.
    fn install() -> Option<Self> {
        let image = Self(std::env::temp_dir().join(format!("daybook-{}", Uuid::new_v4().simple())));
        let output = image.dev("install").arg(setting("DAYBOOK_BIN")).output().unwrap();
        if output.status.code() == Some(NOT_HERE) {
            return None;
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            said.starts_with("daybook "),
            "the last step runs what it installed: {said}"
        );
        Some(image)
    }

    fn dev(&self, action: &str) -> Command {
        let mut command = Command::new(setting("DAYBOOK_DEV"));
        command.args(["image", action]).arg(&self.0).stdin(Stdio::null());
        // Whoever runs the tests may have folders of their own; the image has its volume.
        command.env_remove("DAYBOOK_ARCHIVE").env_remove("DAYBOOK_OBJECTS");
        command
    }

    /// What these words come to in a running container.
    fn exec(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        self.dev("exec")
            .args(words)
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn dockerfile() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Dockerfile")).unwrap()
}

/// The words that the image asks its health by.
fn health() -> Vec<String> {
    let dockerfile = dockerfile();
    let line = dockerfile.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    serde_json::from_str(line.split_once("CMD ").unwrap().1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_image_serves_as_a_user_of_its_own_writes_its_volume_alone_and_ends_in_order() {
    let Some(image) = Image::install() else {
        return skipped("no private root can be made");
    };
    let database = Database::create().await;
    let nats = setting("NATS_URL");
    let process = Process::start_by(image.dev("run"), &database.url(), &nats, &database.name, ALL, &[]).await;

    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let told = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        (told("Uid:"), told("Gid:")),
        (vec![USER.to_owned(); 4], vec![USER.to_owned(); 4]),
        "{status}"
    );
    assert_eq!(
        told("CapEff:"),
        ["0000000000000000"],
        "it may do nothing that others may not"
    );
    assert_eq!(told("NoNewPrivs:"), ["1"]);

    // As Docker asks, at the address that the image serves on.
    let port = process.url.rsplit(':').next().unwrap();
    let listen = [("DAYBOOK_LISTEN", format!("0.0.0.0:{port}"))];
    let listen = listen.each_ref().map(|(name, value)| (*name, value.as_str()));
    let words = health();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let healthy = async || image.exec(&words, &listen).status.success().then_some(());
    until("the image to be healthy", WAIT, healthy).await;

    let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    let position = admin
        .post("/v1/cloudwatcher/parts", &json!({"part_code": "I-1", "name": "Bolt"}))
        .await
        .position();
    admin
        .get_after("/v1/cloudwatcher/parts?part_code=eq.I-1", position)
        .await
        .ok();

    let writes = |place: &str| {
        image
            .exec(&["touch", &format!("{place}/written")], &[])
            .status
            .success()
    };
    assert!(writes("/var/lib/daybook"), "its volume");
    for place in ["", "/etc", "/usr/local/bin", "/usr/share/doc/daybook"] {
        assert!(!writes(place), "{place}/ can be written");
    }
    // Whatever else everybody may write in, nobody may in a file system that is read-only, where that can be had.
    let may_mount = Command::new("unshare")
        .args(["--mount", "true"])
        .status()
        .is_ok_and(|status| status.success());
    assert_eq!(
        writes("/tmp"),
        !may_mount,
        "the file system is read-only where mounts are permitted: {may_mount}"
    );

    assert!(process.terminate().await.success(), "SIGTERM ends it in order");
    let unhealthy = image.exec(&words, &listen);
    assert_eq!(
        unhealthy.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&unhealthy.stderr)
    );
}

#[test]
fn the_image_is_nothing_but_the_program_its_start_and_what_they_need() {
    let Some(image) = Image::install() else {
        return skipped("no private root can be made");
    };
    let names = |place: &str| {
        let entries = fs::read_dir(image.root().join(place)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("usr/local/bin"), ["daybook", "image.sh"]);
    assert_eq!(names("var/lib"), ["daybook"]);
    assert_eq!(names("var/lib/daybook"), [""; 0]);
    assert_eq!(names("usr/share/doc/daybook"), ["LICENSE"]);
    // Started as root, by a wrong setting of whoever runs it, it does not serve.
    let start = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/image.sh");
    let as_root = Command::new(start).args(["start", "serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&as_root.stderr).into_owned();
    assert!(
        !as_root.status.success() && said.contains("not to run as root"),
        "{said}"
    );
}

#[test]
fn what_the_image_is_built_of_has_no_history_no_build_and_no_secret() {
    let ignored = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.dockerignore")).unwrap();
    let lines: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "all is left out but what is named");
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let folders = members
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|member| member.split('/').next().unwrap());
    for needed in folders.chain(["Cargo.toml", "Cargo.lock", "LICENSE", "migrations", "scripts/image.sh"]) {
        assert!(
            lines.contains(&format!("!/{needed}").as_str()),
            "{needed} is needed, and left out"
        );
    }
    let last = lines.iter().rposition(|line| line.starts_with('!')).unwrap();
    assert_eq!(
        lines[last + 1..],
        ["**/.*", "**/target"],
        "what is never sent is said last"
    );
}
