import assert from 'node:assert/strict'
import { test } from 'node:test'
import { address, anchored, reference, release } from '../../../scripts/spec/reference.ts'
import { digest } from '../../../scripts/text/digest.ts'

const pin = digest.parse(`sha256:${'0123456789abcdef'.repeat(4)}`)

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
  [`nginx@${pin}`]: `docker://docker.io/library/nginx@${pin}`,
  [`nginx:1.27@${pin}`]: `docker://docker.io/library/nginx@${pin}`,
  'oci:layouts/web:1.2': 'oci:layouts/web:1.2',
  'docker-archive:/tmp/a.tar': 'docker-archive:/tmp/a.tar',
  'oci:5000/a': 'docker://oci:5000/a:latest',
}

for (const [text, expected] of Object.entries(addresses)) {
  test(`${text} is ${expected}`, () => {
    assert.equal(address(reference.parse(text)), expected)
  })
}

for (const [text, complaint] of Object.entries({
  Nginx: /\\"Nginx\\" is not a repository name/,
  '': /is not a repository name/,
  'a:b:c': /is not a/,
  'nginx:': /\\"\\" is not a tag/,
  'nginx@sha256:12': /is not sha256: and 64 hex digits/,
  'web; rm -rf /': /is not a/,
})) {
  test(`"${text}" is refused`, () => assert.match(String(reference.safeParse(text).error?.message), complaint))
}

test('a digest pins a registry image, and nothing else', () => {
  const nginx = reference.parse('nginx:1.27')
  const layout = reference.parse('oci:web')
  assert.equal(address(nginx, pin), `docker://docker.io/library/nginx@${pin}`)
  assert.equal(address(layout, pin), 'oci:web')
})

test('a relative path starts where it is told to; registries have none', () => {
  const layout = reference.parse('oci:../web:1')
  const nginx = reference.parse('nginx')
  assert.equal(address(anchored(layout, path => `/specs/${path}`)), 'oci:/specs/../web:1')
  assert.deepEqual(
    anchored(nginx, path => `/specs/${path}`),
    nginx,
  )
})

test('the release is the tag, or what there is of one', () => {
  const releases = ['nginx', 'nginx:1.27', `nginx@${pin}`, 'oci:web:2', 'oci:web'].map(text => release(reference.parse(text)))
  assert.deepEqual(releases, ['latest', '1.27', '0123456789ab', '2', 'local'])
})
