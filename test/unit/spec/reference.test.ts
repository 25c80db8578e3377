import assert from 'node:assert/strict'
import { test } from 'node:test'
import { address, anchored, reference, release } from '../../../scripts/spec/reference.ts'

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`

const addresses = {
  nginx: 'docker://docker.io/library/nginx:latest',
  'nginx:1.27': 'docker://docker.io/library/nginx:1.27',
  'library/nginx:lates': 'docker://docker.io/library/nginx:lates',
  'grafana/grafana': 'docker://docker.io/grafana/grafana:latest',
  'index.docker.io/library/redis': 'docker://docker.io/library/redis:latest',
  'ghcr.io/home-assistant/home-assistant:stable': 'docker://ghcr.io/home-assistant/home-assistant:stable',
  'localhost/a': 'docker://localhost/a:latest',
  '127.0.0.1:5000/a/b:tag': 'docker://127.0.0.1:5000/a/b:tag',
  '[::1]:5000/a': 'docker://[::1]:5000/a:latest',
  'docker://quay.io/a/b': 'docker://quay.io/a/b:latest',
  [`nginx@${digest}`]: `docker://docker.io/library/nginx@${digest}`,
  [`nginx:1.27@${digest}`]: `docker://docker.io/library/nginx@${digest}`,
  'oci:layouts/web:1.2': 'oci:layouts/web:1.2',
  'docker-archive:/tmp/a.tar': 'docker-archive:/tmp/a.tar',
  'oci:5000/a': 'docker://oci:5000/a:latest',
}

for (const [text, expected] of Object.entries(addresses)) {
  test(`${text} is ${expected}`, () => {
    const parsed = reference(text)
    assert.ok(typeof parsed !== 'string', String(parsed))
    assert.equal(address(parsed), expected)
  })
}

for (const [text, complaint] of Object.entries({
  Nginx: /"Nginx" is not a repository name/,
  '': /is not a repository name/,
  'a:b:c': /is not a/,
  'nginx:': /"" is not a tag/,
  'nginx@sha256:12': /is not sha256: and 64 hex digits/,
  'web; rm -rf /': /is not a/,
})) {
  test(`"${text}" is refused`, () => assert.match(String(reference(text)), complaint))
}

test('a digest pins a registry image, and nothing else', () => {
  const nginx = reference('nginx:1.27')
  const layout = reference('oci:web')
  assert.ok(typeof nginx !== 'string' && typeof layout !== 'string')
  assert.equal(address(nginx, digest), `docker://docker.io/library/nginx@${digest}`)
  assert.equal(address(layout, digest), 'oci:web')
})

test('a relative path starts where it is told to; registries have none', () => {
  const layout = reference('oci:../web:1')
  const nginx = reference('nginx')
  assert.ok(typeof nginx !== 'string' && typeof layout !== 'string')
  assert.equal(address(anchored(layout, path => `/specs/${path}`)), 'oci:/specs/../web:1')
  assert.deepEqual(
    anchored(nginx, path => `/specs/${path}`),
    nginx,
  )
})

test('the release is the tag, or what there is of one', () => {
  const releases = ['nginx', 'nginx:1.27', `nginx@${digest}`, 'oci:web:2', 'oci:web'].map(text =>
    release(reference(text) as never),
  )
  assert.deepEqual(releases, ['latest', '1.27', '0123456789ab', '2', 'local'])
})
