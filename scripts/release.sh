#!/bin/sh
# Checks a release, tags it, writes its notes from CHANGELOG.md: npm run release. It pushes nothing.
set -eu
cd "$(dirname "$0")/.."

stop() {
	echo "release: $1" >&2
	exit 1
}

version_of() { node -p "require('./$1').version"; }

[ -z "$(git status --porcelain)" ] || stop 'the tree is not clean: commit first'

version=$(version_of package.json)
[ "$(version_of package-lock.json)" = "$version" ] ||
	stop "package-lock.json is not of $version: npm version --no-git-tag-version --allow-same-version $version"

heading=$(grep -m 1 '^## ' CHANGELOG.md) || stop 'CHANGELOG.md has no section'
case $heading in
"## [$version] - "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]) ;;
*) stop "the newest section of CHANGELOG.md is \"$heading\", not \"## [$version] - YYYY-MM-DD\"" ;;
esac

tag=v$version
if git rev-parse --quiet --verify "refs/tags/$tag" >/dev/null; then stop "the tag $tag exists already"; fi

notes=$(awk '/^## / && n++ { exit } n && !/^## /' CHANGELOG.md | sed '/./,$!d')
[ -n "$notes" ] || stop "the section of $version in CHANGELOG.md is empty"

npm run check || stop 'npm run check fails'

printf '%s\n' "$notes" >release-notes.md
git tag --annotate --cleanup=verbatim --file release-notes.md "$tag"
echo "release: tagged $tag, wrote release-notes.md; next: git push origin $tag" >&2
