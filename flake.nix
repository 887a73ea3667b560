{
  description = "Zapiska: what you send to your Telegram bot becomes Markdown notes in a git repository you own";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEachSystem = build: nixpkgs.lib.genAttrs systems (system: build nixpkgs.legacyPackages.${system});
      node = pkgs: pkgs.nodejs_26 or pkgs.nodejs_latest;
      postgresql = pkgs: pkgs.postgresql_18 or pkgs.postgresql;
    in
    {
      # The dependencies come from npm at the first start, pinned and verified by the lock file; Node, git and
      # PostgreSQL come from here, for the binaries npm brings run on no NixOS.
      packages = forEachSystem (pkgs: {
        default = pkgs.writeShellApplication {
          name = "zapiska";
          runtimeInputs = [
            (node pkgs)
            (postgresql pkgs)
            pkgs.git
            pkgs.coreutils
          ];
          text = ''
            source=${self}
            home="''${XDG_STATE_HOME:-$HOME/.local/state}/zapiska/program/$(basename "$source")"
            if [ ! -e "$home/ready" ]; then
              mkdir -p "$(dirname "$home")"
              fresh="$(mktemp -d "$home.XXXXXX")"
              cp -r --no-preserve=mode "$source/." "$fresh"
              (cd "$fresh" && npm ci --omit=dev --no-audit --no-fund --loglevel=error)
              touch "$fresh/ready"
              rm -rf "$home"
              mv "$fresh" "$home"
            fi
            export POSTGRES_BINARIES="''${POSTGRES_BINARIES:-${postgresql pkgs}/bin}"
            exec node "$home/src/main.ts" "$@"
          '';
        };
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            (node pkgs)
            (postgresql pkgs)
            pkgs.git
            pkgs.redis
          ]
          ++ pkgs.lib.optional pkgs.stdenv.isLinux pkgs.chromium;
          POSTGRES_BINARIES = "${postgresql pkgs}/bin";
          # The Node that npm installed is built for other systems: the shell's takes its place.
          shellHook = ''
            if [ -e node_modules/.bin/node ]; then ln -sf "$(command -v node)" node_modules/.bin/node; fi
          '';
        };
      });
    };
}
