// Gives the bundle its own Python, `.python`: the standalone CPython that python.json names, and the bundle's wheels in it.
//
// PYTHON_STANDALONE names something of this machine to take instead of the download: a Python interpreter, which lends itself and
// its pip to a virtual environment, or a copy of the archive (.tar.gz). An archive, from wherever, must have the checksum of python.json.
// What has been built once is left as it is. Needs Node and tar, and no package.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HOME = dirname(dirname(fileURLToPath(import.meta.url)));
const TARGET = join(HOME, ".python");
const BUILT = join(TARGET, "built");
const PYTHON = join(TARGET, "bin", "python3");
const LOCK = join("wheels", "requirements.txt");
const TRIES = 3;
const DOWNLOAD_MS = 180_000;

class Refusal extends Error {}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

const say = (text) => process.stdout.write(`${text}\n`);

/** Run a program in the bundle's folder; nothing of pip's configuration reaches it. */
function run(program, args) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PIP_|PYTHON|VIRTUAL_ENV|__PYVENV)/.test(name));
  const env = { ...Object.fromEntries(inherited), PIP_CONFIG_FILE: "/dev/null" };
  try {
    return execFileSync(program, args, { cwd: HOME, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  } catch (error) {
    throw new Refusal(`${program} ${args.slice(0, 3).join(" ")} ... failed (${error.code ?? `exit code ${error.status}`})`);
  }
}

async function download(url) {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(url, { redirect: "follow", signal: AbortSignal.timeout(DOWNLOAD_MS) });
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      return Buffer.from(await answer.arrayBuffer());
    } catch (error) {
      const reason = error.cause?.code ?? error.message;
      if (attempt === TRIES) {
        throw new Refusal(`Python could not be fetched from ${url}: ${reason}; PYTHON_STANDALONE can name a copy of it`);
      }
      await new Promise((resolve) => setTimeout(resolve, 500 * attempt));
    }
  }
}

/** Unpack an archive, whose one folder `python` becomes TARGET, after its checksum was compared. */
function unpack(bytes, from, wanted) {
  if (wanted === null) throw new Refusal("this bundle names no archive of Python; PYTHON_STANDALONE must be an interpreter");
  const found = sha256(bytes);
  if (found !== wanted.sha256) throw new Refusal(`${from} has the SHA-256 ${found}, not ${wanted.sha256}: it is not used`);
  const folder = mkdtempSync(join(HOME, ".unpacked-"));
  try {
    const archive = join(folder, "python.tar.gz");
    writeFileSync(archive, bytes);
    run("tar", ["-xzf", archive, "-C", folder, "--no-same-owner"]);
    if (!existsSync(join(folder, "python", "bin", "python3"))) throw new Refusal(`${from} holds no python/bin/python3`);
    renameSync(join(folder, "python"), TARGET);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Put Python where it belongs; returns the command of the pip that installs into it. */
async function providePython({ archive, wheels }, given) {
  if (given === "") {
    if (archive === null) {
      throw new Refusal(`this bundle is for a Python ${wheels} of this machine; set PYTHON_STANDALONE to such an interpreter`);
    }
    say(`fetching CPython ${archive.version}`);
    unpack(await download(archive.url), archive.url, archive);
  } else if (!existsSync(given) || !statSync(given).isFile()) {
    throw new Refusal(`PYTHON_STANDALONE names no file: ${given}`);
  } else if (given.endsWith(".tar.gz")) {
    unpack(readFileSync(given), given, archive);
  } else {
    run(given, ["-m", "venv", "--without-pip", TARGET]);
    return [given, "-I", "-m", "pip", "--python", PYTHON];
  }
  return [PYTHON, "-I", "-m", "pip"];
}

function checkPython({ wheels }) {
  const code = "import sys, platform as p; print('%d.%d' % sys.version_info[:2], p.python_implementation(), p.system(), p.machine())";
  const found = run(PYTHON, ["-I", "-c", code]).trim();
  const wanted = `${wheels} CPython Linux x86_64`;
  if (found !== wanted) throw new Refusal(`the wheels of this bundle are for ${wanted}, and this Python is ${found}`);
}

function installWheels([program, ...pip]) {
  pip.push("--isolated", "--disable-pip-version-check");
  const offline = ["--no-index", "--find-links", "wheels", "--only-binary=:all:", "--no-cache-dir"];
  const exact = ["--require-hashes", "--no-deps", "--no-compile", "--no-warn-script-location", "--root-user-action=ignore"];
  run(program, [...pip, "install", "--quiet", ...offline, ...exact, "-r", LOCK]);
  run(program, [...pip, "check"]);
}

/** An image's files may all get the same time, after which Python would take what is compiled by time for outdated. */
function compile() {
  const unused = "/(test|tests|idlelib|lib2to3|turtledemo|tkinter|ensurepip|pip)/";
  run(PYTHON, ["-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-x", unused, ".python/lib", "src"]);
}

/** What `.python` and the compiled sources are made from; nobody compares them again later. */
function fingerprint() {
  const sources = readdirSync(join(HOME, "src"), { recursive: true }).filter((name) => name.endsWith(".py"));
  const names = ["python.json", LOCK, ...sources.sort().map((name) => join("src", name))];
  return sha256(names.map((name) => `${sha256(readFileSync(join(HOME, name)))} ${name}\n`).join(""));
}

async function main() {
  const found = fingerprint();
  if (existsSync(BUILT) && readFileSync(BUILT, "utf8") === found) return;
  rmSync(TARGET, { recursive: true, force: true });
  try {
    const wanted = JSON.parse(readFileSync(join(HOME, "python.json"), "utf8"));
    const pip = await providePython(wanted, process.env.PYTHON_STANDALONE ?? "");
    checkPython(wanted);
    installWheels(pip);
    compile();
    writeFileSync(BUILT, found);
    say(`Python is ready: ${run(PYTHON, ["-I", "-V"]).trim()}`);
  } catch (error) {
    rmSync(TARGET, { recursive: true, force: true });
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

await main();
