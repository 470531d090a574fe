# Sourced by run.sh and test.sh: an environment in .venv, made once for each state of the pinned requirements.

install() { # install REQUIREMENTS: make .venv if needed, install the pinned packages, put it on the PATH
  requirements=$1
  python=
  for candidate in "${DENSECELL_PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 \
      && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    echo "densecell: needs Python 3.11 or newer; found: $(python3 --version 2>&1 || echo none)." >&2
    echo "Install it, or name it: DENSECELL_PYTHON=/path/to/python3.12 ./run.sh" >&2
    exit 1
  fi
  hash=$(cat requirements.txt "$requirements" | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:12])')
  if [ ! -f ".venv/installed-$hash" ]; then
    if [ ! -x .venv/bin/python ]; then
      echo "densecell: making the environment .venv (once)" >&2
      if ! "$python" -m venv .venv; then
        rm -rf .venv
        echo "densecell: $python could not make a virtual environment. On Debian or Ubuntu: apt install python3-venv" >&2
        exit 1
      fi
    fi
    echo "densecell: installing the packages of $requirements (once, some minutes)" >&2
    if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"; then
      echo "densecell: the installation failed (see above); run the same command again when that is solved." >&2
      exit 1
    fi
    : > ".venv/installed-$hash"
  fi
  PATH="$PWD/.venv/bin:$PATH"
  export PATH
}
