#!/bin/sh
# Makes echarts.min.js: the parts of Apache ECharts that parts.js names, in one file, with the notices of all that it holds.
# Needs node and npm. The versions are those in package.json.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/parts.js" "$work"
cd "$work"
npm install --silent --no-fund --no-audit
cp node_modules/echarts/LICENSE node_modules/echarts/NOTICE "$here"
cp node_modules/echarts/licenses/LICENSE-d3 node_modules/zrender/LICENSE .
cp LICENSE-d3 "$here/LICENSE-d3"
cp LICENSE "$here/LICENSE-zrender"
npx esbuild parts.js --bundle --minify --format=iife --global-name=echarts --target=es2020 --legal-comments=none \
  --outfile=bundle.js
{
  printf '/*!\nParts of Apache ECharts %s, put together from its npm package.\n' \
    "$(node -p "require('echarts/package.json').version")"
  printf 'Licensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0\n\n'
  cat node_modules/echarts/NOTICE
  printf '\n\nIt holds zrender:\n\n'
  cat LICENSE
  printf '\nand parts of d3:\n\n'
  cat LICENSE-d3
  printf '*/\n'
  cat bundle.js
} >"$here/echarts.min.js"
