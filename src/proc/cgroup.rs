//! `/proc/PID/cgroup`: the control group of a process, and which systemd unit or
//! container that is, by the paths that systemd, Docker, Podman, containerd,
//! CRI-O and the kubelet give it.

use super::read;
use crate::kernel::Tgid;

/// The control group of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cgroup {
    /// Its path below the root that we see.
    pub(crate) path: String,
    /// The systemd unit, a service or a scope.
    pub(crate) unit: Option<String>,
    pub(crate) container: Option<Container>,
    /// The uid of the Kubernetes pod.
    pub(crate) pod: Option<String>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    /// Who runs it, where the path says so.
    pub(crate) runtime: Option<&'static str>,
    pub(crate) id: String,
}

/// The digits of a container's id.
const ID: usize = 64;

/// What stands before the id in a path of systemd's, and who runs the container.
const SCOPES: [(&str, Option<&str>); 7] = [
    ("docker-", Some("docker")),
    ("libpod-payload-", Some("podman")),
    ("libpod-", Some("podman")),
    ("cri-containerd-", Some("containerd")),
    ("crio-", Some("cri-o")),
    ("nerdctl-", Some("containerd")),
    ("", None),
];

/// The folder above an id of 64 digits, where no systemd is used.
const FOLDERS: [(&str, &str); 2] = [("docker", "docker"), ("libpod_parent", "podman")];

impl Cgroup {
    /// `None` if it cannot be read or is the root. That of a zombie is known with
    /// cgroup v2 alone: in v1 the kernel shows the root.
    pub(crate) fn read(tgid: Tgid) -> Option<Cgroup> {
        let text = read(&format!("/proc/{tgid}/cgroup")).ok()?;
        Cgroup::parse(&String::from_utf8_lossy(&text))
    }

    /// Lines of `HIERARCHY:CONTROLLERS:PATH`. v2 has one, `0::PATH`; v1 one for each
    /// hierarchy, of which systemd's own and that of pids are always in use.
    fn parse(text: &str) -> Option<Cgroup> {
        let lines = text.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            // Of a zombie whose group has been removed.
            let path = path.strip_suffix(" (deleted)").unwrap_or(path);
            (path != "/").then_some((controllers, path))
        });
        let rank = |controllers: &str| match controllers {
            "" => 0,
            "name=systemd" => 1,
            _ if controllers.split(',').any(|name| name == "pids") => 2,
            _ => 3,
        };
        let known = lines.min_by_key(|(controllers, path)| {
            // A container's line may be in one hierarchy alone.
            (Cgroup::of_path(path).container.is_none(), rank(controllers))
        });
        known.map(|(_, path)| Cgroup::of_path(path))
    }

    fn of_path(path: &str) -> Cgroup {
        let mut cgroup = Cgroup {
            path: path.to_owned(),
            ..Cgroup::default()
        };
        let mut above = "";
        for element in path.split('/').filter(|element| !element.is_empty()) {
            // The innermost counts: containers may be in containers.
            if let Some(container) = container(element, above) {
                cgroup.container = Some(container);
            } else if let Some(unit) = unit(element) {
                cgroup.unit = Some(unit.to_owned());
            }
            cgroup.pod = pod(element).or(cgroup.pod);
            above = element;
        }
        cgroup
    }
}

/// The container that a path element stands for. The monitors of containers
/// (`crio-conmon-…`, `libpod-conmon-…`) are none.
fn container(element: &str, above: &str) -> Option<Container> {
    let scope = element.strip_suffix(".scope");
    let name = scope.unwrap_or(element);
    let of_scope = SCOPES.iter().find_map(|(prefix, runtime)| {
        let id = name.strip_prefix(prefix).filter(|id| is_id(id))?;
        let folder = FOLDERS.iter().find(|(folder, _)| *folder == above);
        Some(Container {
            runtime: runtime.or(folder.map(|(_, runtime)| *runtime)),
            id: id.to_owned(),
        })
    });
    // Of these the name is the id.
    let named = || {
        let (runtime, name) = match name.strip_prefix("lxc.payload.") {
            Some(name) => ("lxc", name),
            None if above == "lxc" => ("lxc", name),
            None => ("systemd-nspawn", scope?.strip_prefix("machine-")?),
        };
        Some(Container {
            runtime: Some(runtime),
            id: unescaped(name),
        })
    };
    of_scope.or_else(named)
}

fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// systemd escapes a name's own `-` as `\x2d`.
fn unescaped(name: &str) -> String {
    name.replace("\\x2d", "-")
}

/// The systemd unit that a path element stands for. systemd puts a `_` before
/// names that the kernel could take for its own.
fn unit(element: &str) -> Option<&str> {
    let is_unit = [".service", ".scope"].iter().any(|end| {
        let name = element.strip_suffix(end);
        name.is_some_and(|name| !name.is_empty())
    });
    is_unit.then(|| element.strip_prefix('_').unwrap_or(element))
}

/// The uid of a pod: `kubepods-burstable-pod0123_…_ef.slice` with systemd,
/// `pod0123-…-ef` without.
fn pod(element: &str) -> Option<String> {
    let name = element.strip_suffix(".slice").unwrap_or(element);
    let (before, uid) = name.rsplit_once("pod")?;
    let is_uid = uid.len() >= 32
        && uid
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || b"-_".contains(&byte));
    let is_pod = before.is_empty() || (before.starts_with("kube") && before.ends_with('-'));
    (is_pod && is_uid).then(|| uid.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3f2a91c07be43f2a91c07be43f2a91c07be43f2a91c07be43f2a91c07be4aaaa";
    const B: &str = "bbbb91c07be43f2a91c07be43f2a91c07be43f2a91c07be43f2a91c07be4bbbb";
    const POD: &str = "0d1f2a3b-4c5d-6e7f-8091-a2b3c4d5e6f7";

    fn of(path: &str) -> Cgroup {
        let path = path.replace("{A}", A).replace("{B}", B);
        let path = path.replace("{POD}", POD);
        let path = path.replace("{P_O_D}", &POD.replace('-', "_"));
        Cgroup::parse(&format!("0::{path}\n")).unwrap()
    }

    #[test]
    fn containers_are_told_by_their_paths() {
        let cases = [
            ("/docker/{A}", Some("docker"), A),
            ("/system.slice/docker-{A}.scope", Some("docker"), A),
            (
                "/machine.slice/libpod-{A}.scope/container",
                Some("podman"),
                A,
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope",
                Some("podman"),
                A,
            ),
            (
                "/system.slice/web.service/libpod-payload-{A}",
                Some("podman"),
                A,
            ),
            ("/libpod_parent/libpod-{A}", Some("podman"), A),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{P_O_D}.slice/\
                 cri-containerd-{A}.scope",
                Some("containerd"),
                A,
            ),
            (
                "/kubepods.slice/kubepods-pod{P_O_D}.slice/crio-{A}.scope/container",
                Some("cri-o"),
                A,
            ),
            ("/kubepods/besteffort/pod{POD}/{A}", None, A),
            ("/default/{A}", None, A),
            ("/ecs/task/{A}", None, A),
            ("/../docker-{B}.scope", Some("docker"), B),
            (
                "/docker/{A}/kubelet.slice/kubelet-kubepods.slice/cri-containerd-{B}.scope",
                Some("containerd"),
                B,
            ),
            ("/lxc.payload.web", Some("lxc"), "web"),
            ("/lxc/web/init.scope", Some("lxc"), "web"),
            (
                "/machine.slice/machine-debian\\x2d12.scope/payload",
                Some("systemd-nspawn"),
                "debian-12",
            ),
        ];
        for (path, runtime, id) in cases {
            let container = of(path).container;
            let id = id.to_owned();
            assert_eq!(container, Some(Container { runtime, id }), "{path}");
        }
    }

    #[test]
    fn pods_and_units_are_told() {
        for path in [
            "/kubepods.slice/kubepods-pod{P_O_D}.slice/crio-{A}.scope",
            "/kubepods/besteffort/pod{POD}/{A}",
            "/docker/{B}/kubelet.slice/kubelet-kubepods-besteffort-pod{P_O_D}.slice/x",
        ] {
            assert_eq!(of(path).pod.as_deref(), Some(POD), "{path}");
        }
        let unit = |path: &str| of(path).unit;
        let is = |name: &str| Some(name.to_owned());
        assert_eq!(unit("/system.slice/nginx.service"), is("nginx.service"));
        assert_eq!(
            unit("/user.slice/user-0.slice/user@0.service/app.slice/vi.scope"),
            is("vi.scope")
        );
        assert_eq!(unit("/system.slice/_cpu.service"), is("cpu.service"));
        assert_eq!(
            unit("/system.slice/web.service/libpod-payload-{A}"),
            is("web.service")
        );
        assert_eq!(unit("/kubepods.slice/kubepods-pod{P_O_D}.slice"), None);
        assert_eq!(unit("/system.slice/docker-{A}.scope"), None);
    }

    #[test]
    fn what_is_no_container_is_none() {
        for path in [
            "/system.slice/crio-conmon-{A}.scope",
            "/machine.slice/libpod-conmon-{A}.scope",
            "/system.slice/docker.service",
            "/system.slice/docker-{A}x.scope",
            "/machine-learning",
            "/tripod/0d1f2a3b",
        ] {
            let cgroup = of(path);
            assert_eq!((cgroup.container, cgroup.pod), (None, None), "{path}");
        }
    }

    #[test]
    fn the_line_that_says_most_is_taken() {
        let parse = |text: &str| Cgroup::parse(&text.replace("{A}", A));
        let v1 =
            "12:pids:/docker/{A}\n5:cpu,cpuacct:/\n1:name=systemd:/system.slice/x.service\n0::/\n";
        assert_eq!(parse(v1).unwrap().container.unwrap().id, A);
        let v1 = "12:pids:/user.slice\n1:name=systemd:/user.slice/session-3.scope\n";
        assert_eq!(parse(v1).unwrap().unit.unwrap(), "session-3.scope");
        assert_eq!(parse("0::/\n"), None);
        assert_eq!(parse("1:cpu:/\n0::/\n"), None);
        assert_eq!(parse("nonsense"), None);
        let removed = parse("0::/system.slice/x.service (deleted)\n").unwrap();
        assert_eq!(removed.path, "/system.slice/x.service");
    }
}
