// The table of lies that a registry tells: a row is a repository with what the report has to say about it.

import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { digestOf } from '../../scripts/text/digest.ts'
import { ARCHITECTURE } from '../world/image.ts'
import { tarball } from '../world/tarball.ts'
import { INDEX, type Lie, layerOf, MANIFEST, type Manifest, OCI, type Repository, repository } from './registry.ts'
import { CANARY, type Row } from './rows.ts'

export interface Served extends Row {
  repository: Repository
  /** What the line about it matches. */
  report: RegExp
  /** More keys of its spec. */
  spec?: string
}

/** What no report, no YAML, no page may repeat as it is. */
export const EVIL = '\x1b[2J\nbuilt     good/amd64: forged\r\x07\x7f\x85\x9b31m\ufffe\uffff\ud800\u202e\u2066\u2028\0'
const WITHOUT_NUL = EVIL.replace('\0', '')

const BUILT = /^built/
const LAYER = layerOf('x')
const DIGEST = /digest: is not sha256: and 64 hex digits/
const PATH = `sha256:${'../'.repeat(20)}${CANARY}`
const OTHER = digestOf('other')

const row = (name: string, report: RegExp, lie: Lie, spec = ''): Served => ({
  name,
  report,
  repository: repository(name, lie),
  ...(spec ? { spec } : {}),
})
const critical = (served: Served): Served => ({ ...served, critical: true })
/** The manifest with other members. */
const manifest = (name: string, change: object | ((fitting: Manifest) => unknown), report: RegExp) =>
  row(name, report, {
    manifest: fitting => (typeof change === 'function' ? change(fitting) : { ...fitting, ...change }),
  })
const config = (name: string, change: object, report: RegExp) =>
  row(name, report, { config: good => ({ ...good, config: { ...good.config, ...change } }) })
const about = (name: string, change: object, report: RegExp) => row(name, report, { config: good => ({ ...good, ...change }) })
/** The text of the manifest with something replaced. */
const edited = (name: string, from: string | RegExp, to: string | ((found: string) => string), report: RegExp) =>
  row(name, report, { manifest: fitting => JSON.stringify(fitting).replace(from, to as string) })
const layer = (name: string, change: object, report: RegExp) =>
  manifest(name, one => ({ ...one, layers: [{ ...one.layers[0], ...change }] }), report)

/** What uname calls this machine. */
const NAME = { amd64: 'X86_64', arm64: 'AARCH64' }[ARCHITECTURE] ?? ARCHITECTURE

/** An index over the fitting manifest. */
const index = (name: string, change: (own: object) => object, report: RegExp, type = INDEX) => {
  const good = repository(name)
  const own = {
    mediaType: MANIFEST,
    digest: digestOf(good.manifest as string),
    size: (good.manifest as string).length,
    platform: { os: 'linux', architecture: ARCHITECTURE },
  }
  const blobs = { [own.digest]: good.manifest }
  return row(name, report, { type, manifest: () => ({ schemaVersion: 2, mediaType: INDEX, ...change(own) }), blobs })
}

const status = (code: number, headers = {}, body = '') => ({
  serve: {
    manifest: (answer: ServerResponse) => void answer.writeHead(code, headers).end(body),
  },
})
const layerStatus = (code: number, headers = {}, body = '') => ({
  serve: { layer: (answer: ServerResponse) => void answer.writeHead(code, headers).end(body) },
})

const WRONG: [string, unknown][] = [
  ['number', 5],
  ['text', 'x'],
  ['list', [5]],
  ['object', { a: 5 }],
  ['true', true],
]
const TEXTS = ['User', 'WorkingDir', 'StopSignal']
const LISTS = ['Env', 'Entrypoint', 'Cmd', 'Shell']
const MAPS = ['ExposedPorts', 'Volumes', 'Labels', 'Healthcheck']

const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`/v${n}`, {}]))

export const MANIFESTS: Served[] = [
  row('manifest-list', /manifest: Invalid input|expected object|invalid/, { manifest: () => [] }),
  row('manifest-text', /failed/, { manifest: () => '"x"' }),
  row('manifest-null', /failed/, { manifest: () => 'null' }),
  row('manifest-number', /failed/, { manifest: () => '5' }),
  row('manifest-empty', /failed/, { manifest: () => '' }),
  row('manifest-object', /failed/, { manifest: () => '{}' }),
  row('manifest-open', /failed/, { manifest: () => '{' }),
  row('manifest-html', /failed/, { manifest: () => '<!DOCTYPE html><html>\x1b[2J</html>', type: 'text/html' }),
  row('manifest-html-as-json', /failed/, { manifest: () => '<!DOCTYPE html><html>\x1b[2J\n\u202e</html>' }),
  row('manifest-nul', /failed/, { manifest: one => `${JSON.stringify(one)}\0` }),
  row('manifest-bom', /failed/, { manifest: one => `\ufeff${JSON.stringify(one)}` }),
  row('manifest-twice', /failed/, { manifest: one => JSON.stringify(one).repeat(2) }),
  row('manifest-deep', /failed/, { manifest: () => '['.repeat(100_000) }),
  row('manifest-deep-closed', /failed/, {
    manifest: one => JSON.stringify(one).replace('{', `{"x":${'['.repeat(50_000)}${']'.repeat(50_000)},`),
  }),
  row('manifest-10-mb', /failed/, { manifest: one => `${' '.repeat(10 << 20)}${JSON.stringify(one)}` }),
  row('manifest-type-odd', /failed|built/, { type: 'application/\u00ffx' }),
  manifest('schema-text', { schemaVersion: '2' }, /failed/),
  manifest('schema-1', { schemaVersion: 1 }, /failed/),
  row('schema-1-whole', /it is of Docker schema 1/, {
    type: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
    manifest: () => ({ schemaVersion: 1, name: 'x', tag: 'y', architecture: 'amd64', fsLayers: [], history: [] }),
  }),
  manifest('schema-3', { schemaVersion: 3 }, /failed|built/),
  manifest('schema-none', { schemaVersion: undefined }, /failed|built/),
  manifest('schema-null', { schemaVersion: null }, /failed|built/),
  manifest('media-number', { mediaType: 5 }, /failed/),
  manifest('media-evil', { mediaType: EVIL }, /failed|built/),
  manifest('media-of-index', { mediaType: INDEX }, /failed/),
  manifest('config-none', { config: undefined }, /failed/),
  manifest('config-null', { config: null }, /failed/),
  manifest('config-text', { config: '' }, /config: .*expected object/),
  manifest('config-list', { config: [] }, /config: .*expected object/),
  manifest(
    'config-of-helm',
    one => ({ ...one, config: { ...one.config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } }),
    /an artifact, application\/vnd.cncf.helm/,
  ),
  manifest('config-of-evil', one => ({ ...one, config: { ...one.config, mediaType: EVIL } }), /that of an artifact/),
  manifest('config-digest-path', one => ({ ...one, config: { ...one.config, digest: PATH } }), DIGEST),
  manifest('config-digest-none', one => ({ ...one, config: { ...one.config, digest: undefined } }), DIGEST),
  manifest('config-digest-other', one => ({ ...one, config: { ...one.config, digest: OTHER } }), /failed/),
  manifest('config-size-wrong', one => ({ ...one, config: { ...one.config, size: 5 } }), /failed/),
  manifest('config-size-huge', one => ({ ...one, config: { ...one.config, size: 1e15 } }), /failed/),
  manifest('layers-none', { layers: undefined }, /failed|built/),
  manifest('layers-null', { layers: null }, /failed|built/),
  manifest('layers-empty', { layers: [] }, /failed|built/),
  manifest('layers-text', { layers: 'x' }, /layers: .*expected array/),
  manifest('layers-object', { layers: {} }, /layers: .*expected array/),
  manifest('layers-of-null', { layers: [null] }, /layers.0/),
  manifest('layers-of-text', { layers: ['x'] }, /layers\.0: .*expected object/),
  manifest('layers-of-lists', { layers: [[]] }, /layers\.0: .*expected object/),
  manifest('layers-501', one => ({ ...one, layers: Array(501).fill(one.layers[0]) }), /has more than 500 layers/),
  manifest('layers-20000', one => ({ ...one, layers: Array(20_000).fill(one.layers[0]) }), /has more than 500 layers/),
  row('layers-200-same', BUILT, {
    config: good => ({ ...good, rootfs: { type: 'layers', diff_ids: Array(200).fill(good.rootfs.diff_ids[0]) } }),
    manifest: one => ({ ...one, layers: Array(200).fill(one.layers[0]) }),
  }),
  critical(layer('layer-digest-path', { digest: PATH }, DIGEST)),
  layer('layer-digest-none', { digest: undefined }, DIGEST),
  layer('layer-digest-null', { digest: null }, DIGEST),
  layer('layer-digest-text', { digest: '' }, DIGEST),
  layer('layer-digest-number', { digest: 5 }, DIGEST),
  layer('layer-digest-upper', { digest: digestOf(LAYER).toUpperCase() }, DIGEST),
  layer('layer-digest-sha512', { digest: `sha512:${'0'.repeat(128)}` }, DIGEST),
  layer('layer-digest-short', { digest: 'sha256:0' }, DIGEST),
  layer('layer-digest-line', { digest: `${digestOf(LAYER)}\n` }, DIGEST),
  layer('layer-digest-slash', { digest: `${digestOf(LAYER)}/..` }, DIGEST),
  layer('layer-digest-evil', { digest: EVIL }, DIGEST),
  layer('layer-digest-unknown', { digest: OTHER }, /failed/),
  layer('layer-size-negative', { size: -1 }, /size: /),
  layer('layer-size-huge', { size: 1e300 }, /size: /),
  layer('layer-size-2-53', { size: 2 ** 53 - 1 }, /its layers take/),
  layer('layer-size-half', { size: 1.5 }, /size: /),
  layer('layer-size-text', { size: '5' }, /size: /),
  layer('layer-size-less', { size: 5 }, /failed|built/),
  layer('layer-size-more', { size: LAYER.length + 1 }, /failed/),
  layer('layer-size-none', { size: undefined }, /failed|built/),
  layer('layer-media-number', { mediaType: 5 }, /mediaType: /),
  layer('layer-media-none', { mediaType: undefined }, /failed|built/),
  layer('layer-media-helm', { mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip' }, /failed/),
  layer('layer-media-evil', { mediaType: WITHOUT_NUL }, /failed/),
  layer('layer-media-zstd', { mediaType: `${OCI}.layer.v1.tar+zstd` }, /failed|built/),
  layer('layer-media-plain', { mediaType: `${OCI}.layer.v1.tar` }, /failed|built/),
  layer('layer-annotations-text', { annotations: 'x' }, /failed/),
  layer('layer-urls', { urls: ['http://127.0.0.1:1/x', 'file:///etc/passwd'] }, /failed|built/),
  layer(
    'layer-foreign',
    { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', urls: ['file:///etc/passwd'] },
    /failed/,
  ),
  critical(
    edited('key-Digest', '"digest":"sha256:', `"digest":"${PATH}","Digest":"sha256:`, /the key "Digest" passes for "digest"/),
  ),
  edited('key-DIGEST', '"digest"', '"DIGEST"', /the key "DIGEST" passes for "digest"/),
  edited('key-digest-long-s', '"digest":"sha256:', `"digest":"${PATH}","dige\u017ft":"sha256:`, /passes for "digest"/),
  edited('key-digest-escaped', '"digest":"sha256:', `"digest":"${PATH}","\\u0064igest":"sha256:`, /stands there twice/),
  edited('key-digest-twice', '"digest":"sha256:', `"digest":"${PATH}","digest":"sha256:`, /stands there twice/),
  edited('key-layers-twice', '"layers":', '"layers":[],"layers":', /stands there twice/),
  edited('key-Layers', '"layers":', '"Layers":[],"layers":', /"Layers" passes for "layers"/),
  edited('key-kelvin', '"layers":', '"\u212aonfig":[],"layers":', /failed|built/),
  edited('key-proto', '"layers":', '"__proto__":{"layers":[]},"layers":', BUILT),
  edited('key-constructor', '"layers":', '"constructor":{"prototype":5},"layers":', BUILT),
  edited('key-evil-twice', '"layers":', `"\u202e\x7f\u2028":1,"\u202e\x7f\u2028":1,"layers":`, /stands there twice/),
  manifest('manifests-too', one => ({ ...one, manifests: [] }), /a manifest and an index at once/),
  manifest('manifests-null-too', { manifests: null }, /failed|built/),
]

export const INDEXES: Served[] = [
  index('index-good', own => ({ manifests: [own] }), BUILT),
  index('index-null', () => ({ manifests: null }), /failed/),
  index('index-text', () => ({ manifests: '' }), /manifests: .*expected array/),
  index('index-empty', () => ({ manifests: [] }), /there is none for linux/),
  index('index-of-null', () => ({ manifests: [null] }), /manifests\.0/),
  index('index-1001', own => ({ manifests: Array(1001).fill(own) }), /has more than 1000 entries/),
  critical(index('index-digest-path', own => ({ manifests: [{ ...own, digest: PATH }] }), DIGEST)),
  index('index-digest-unknown', own => ({ manifests: [{ ...own, digest: OTHER }] }), /failed/),
  index('index-size-wrong', own => ({ manifests: [{ ...own, size: 5 }] }), /failed|built/),
  index('index-size-huge', own => ({ manifests: [{ ...own, size: 1e300 }] }), /size/),
  index('index-platform-none', own => ({ manifests: [{ ...own, platform: undefined }] }), BUILT),
  index('index-platform-null', own => ({ manifests: [{ ...own, platform: null }] }), BUILT),
  index('index-platform-without-os', own => ({ manifests: [{ ...own, platform: { architecture: NAME } }] }), BUILT),
  index('index-platform-text', own => ({ manifests: [{ ...own, platform: 'x' }] }), /platform: .*expected object/),
  index('index-platform-number', own => ({ manifests: [{ ...own, platform: { os: 5 } }] }), /platform\.os: /),
  index(
    'index-platform-windows',
    own => ({ manifests: [{ ...own, platform: { os: 'windows', architecture: ARCHITECTURE } }] }),
    /it exists for windows/,
  ),
  index(
    'index-platform-evil',
    own => ({ manifests: [{ ...own, platform: { os: EVIL, architecture: EVIL, variant: EVIL } }] }),
    /there is none for linux/,
  ),
  index('index-with-config', own => ({ manifests: [own], config: own }), /a manifest and an index at once/),
  index('index-typed-manifest', own => ({ manifests: [own] }), /failed|built/, MANIFEST),
  index('index-key-Manifests', own => ({ manifests: [], Manifests: [own] }), /"Manifests" passes for "manifests"/),
  row(
    'index-nested',
    /failed/,
    (() => {
      const inner = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] })
      const platform = { os: 'linux', architecture: ARCHITECTURE }
      const manifests = [{ mediaType: INDEX, digest: digestOf(inner), size: inner.length, platform }]
      return {
        type: INDEX,
        manifest: () => ({ schemaVersion: 2, mediaType: INDEX, manifests }),
        blobs: { [digestOf(inner)]: inner },
      }
    })(),
  ),
  row(
    'index-other-bytes',
    /failed/,
    (() => {
      const platform = { os: 'linux', architecture: ARCHITECTURE }
      const manifests = [{ mediaType: MANIFEST, digest: OTHER, size: 5, platform }]
      return {
        type: INDEX,
        manifest: () => ({ schemaVersion: 2, mediaType: INDEX, manifests }),
        blobs: { [OTHER]: 'wrong' },
      }
    })(),
  ),
]

export const CONFIGS: Served[] = [
  ...TEXTS.flatMap(key =>
    WRONG.filter(([what]) => what !== 'text').map(([what, value]) =>
      config(`${key}-${what}`, { [key]: value }, new RegExp(`image config: config\\.${key}: .*expected string`)),
    ),
  ),
  ...LISTS.flatMap(key =>
    WRONG.map(([what, value]) =>
      config(`${key}-${what}`, { [key]: value }, new RegExp(`image config: config\\.${key}(\\.0)?: .*expected`)),
    ),
  ),
  ...MAPS.flatMap(key =>
    WRONG.filter(([what]) => what !== 'object').map(([what, value]) =>
      config(`${key}-${what}`, { [key]: value }, new RegExp(`image config: config\\.${key}: .*expected`)),
    ),
  ),
  config('Labels-of-numbers', { Labels: { a: 5 } }, /config\.Labels\.a: .*expected string/),
  config('Labels-of-evil-numbers', { Labels: { [EVIL]: 5 } }, /config\.Labels\..*: .*expected string/),
  config('Healthcheck-Test-text', { Healthcheck: { Test: 'x' } }, /config\.Healthcheck\.Test: .*expected array/),
  ...[...TEXTS, ...LISTS, ...MAPS].map(key => config(`${key}-null`, { [key]: null }, key === 'Cmd' ? /nothing to run/ : BUILT)),
  row('config-all-list', /image config: .*expected object/, { config: () => '[]' }),
  row('config-all-null', /failed/, { config: () => 'null' }),
  row('config-all-number', /image config: /, { config: () => '5' }),
  row('config-all-html', /image config: not JSON/, { config: () => '<html>\x1b[2J\n\u202e' }),
  row('config-all-empty', /failed/, { config: () => '' }),
  row('config-bytes', /failed|built/, { config: () => `{"config":{"Cmd":["\\ud800"],"User":"\ufffd"}}` }),
  row('config-5-mb', /failed/, { config: good => ({ ...good, x: 'x'.repeat(5 << 20) }) }),
  row('config-deep', /failed|built/, {
    config: good => JSON.stringify(good).replace('{', `{"x":${'['.repeat(5000)}${']'.repeat(5000)},`),
  }),
  about('config-config-list', { config: [] }, /image config: config: .*expected object/),
  about('config-config-null', { config: null }, /nothing to run/),
  about('config-config-none', { config: undefined }, /nothing to run/),
  about('config-os-number', { os: 5 }, /os: .*expected string/),
  about('config-os-windows', { os: 'windows' }, /it is for windows/),
  about('config-os-empty', { os: '' }, BUILT),
  about('config-os-evil', { os: WITHOUT_NUL }, /image: it is for/),
  about('config-os-nul', { os: 'linux\0' }, /holds a NUL character/),
  about('config-arch-list', { architecture: [] }, /architecture: .*expected string/),
  about('config-arch-evil', { architecture: WITHOUT_NUL }, /image: it is for .*, not/),
  about('config-arch-other', { architecture: 's390x' }, /it is for s390x, not/),
  about('created-number', { created: 5 }, /created: .*expected string/),
  about('created-text', { created: 'yesterday' }, /failed|built/),
  about('created-9999', { created: '9999-12-31T23:59:59Z' }, BUILT),
  about('created-0001', { created: '0001-01-01T00:00:00Z' }, BUILT),
  about('created-evil', { created: EVIL }, /NUL/),
  about('created-null', { created: null }, BUILT),
  about('created-plus-year', { created: '+275760-09-13T00:00:00.000Z' }, /failed|built/),
  about('history-number', { history: 5 }, /failed|built/),
  about('diff-ids-none', { rootfs: { type: 'layers', diff_ids: [] } }, /names? too few layers|may name too few/),
  about('rootfs-text', { rootfs: 'x' }, /failed|built/),
  about('diff-ids-path', { rootfs: { type: 'layers', diff_ids: [PATH] } }, /failed|built/),
  row('config-User-thrice', BUILT, {
    config: good => JSON.stringify(good).replace('"Cmd"', '"User":"root","user":"b","User":"0","Cmd"'),
  }),
  row('config-proto', BUILT, {
    config: good => JSON.stringify(good).replace('"Cmd"', '"__proto__":{"User":"5"},"Cmd"'),
  }),
]

export const TEXT: Served[] = [
  ...['User', 'WorkingDir', 'StopSignal'].map(key => config(`nul-${key}`, { [key]: 'a\0b' }, /holds a NUL character/)),
  ...['Env', 'Entrypoint', 'Cmd', 'Shell'].map(key => config(`nul-${key}`, { [key]: ['a=\0b'] }, /holds a NUL character/)),
  ...['ExposedPorts', 'Volumes'].map(key => config(`nul-${key}`, { [key]: { 'a\0b': {} } }, /failed/)),
  config('nul-Labels', { Labels: { 'a\0b': 'c\0d' } }, BUILT),
  config('nul-Healthcheck', { Healthcheck: { Test: ['CMD', 'a\0b'] } }, /holds a NUL character/),
  config('evil-User', { User: WITHOUT_NUL }, BUILT),
  config('evil-Env', { Env: [`${WITHOUT_NUL}=${WITHOUT_NUL}`, WITHOUT_NUL, '=x', ''] }, BUILT),
  config('evil-Cmd', { Cmd: [WITHOUT_NUL, ''] }, BUILT),
  config('evil-Entrypoint', { Entrypoint: ["';id;'", '$(id)', '`id`', '{{x}}', WITHOUT_NUL] }, BUILT),
  config('evil-WorkingDir', { WorkingDir: `../../..${WITHOUT_NUL}` }, BUILT),
  config('evil-StopSignal', { StopSignal: WITHOUT_NUL }, /is not a signal/),
  config('evil-ExposedPorts', { ExposedPorts: { [WITHOUT_NUL]: {}, '': {}, '80/tcp': null } }, BUILT),
  config('evil-Volumes', { Volumes: { [WITHOUT_NUL]: {}, '': {}, '/../../x': {}, '/proc': {} } }, BUILT),
  critical(config('evil-Labels', { Labels: { [EVIL]: EVIL, '': '', a: '*b', '<<': '!!js/function', '- x': '# y' } }, BUILT)),
  config('evil-description', { Labels: { 'org.opencontainers.image.description': EVIL } }, BUILT),
  config('evil-Healthcheck', { Healthcheck: { Test: ['CMD-SHELL', WITHOUT_NUL] } }, BUILT),
  config('evil-Shell', { Shell: [WITHOUT_NUL], Healthcheck: { Test: ['CMD-SHELL', 'x'] } }, BUILT),
  ...[
    '\x85',
    '\x9b',
    '\x7f',
    '\ufeff',
    '\ufffe',
    '\u{1fffe}',
    '\udfff',
    '\u2028',
    '\u202e',
    '\u{e0001}',
    '\t\t',
    ' \n ',
    '\r',
  ].map((char, nth) => config(`char-${nth}`, { Labels: { a: char, [char]: 'b', c: `${char} x ${char}` } }, BUILT)),
]

export const NUMBERS: Served[] = [
  config('volumes-30000', { Volumes: many(30_000) }, /has more than 1000 volumes/),
  config('volumes-1000', { Volumes: many(1000) }, BUILT),
  config('ports-30000', { ExposedPorts: many(30_000) }, /has more than 1000 ports/),
  config(
    'labels-20000',
    { Labels: Object.fromEntries(Object.keys(many(20_000)).map(key => [key, 'x'])) },
    /has more than 10000 labels/,
  ),
  config('label-3-mb', { Labels: { a: 'x'.repeat(3 << 20) } }, /hold more than 1 MiB/),
  critical(config('label-1-mb', { Labels: { a: 'x'.repeat(1_040_000) } }, BUILT)),
  config(
    'env-2-mb',
    { Env: Array.from({ length: 20 }, (_, n) => `A${n}=${'x'.repeat(100_000)}`) },
    /config\.Env: holds more than/,
  ),
  config('env-200-kb', { Env: [`A=${'x'.repeat(200_000)}`] }, BUILT),
  config('env-50000', { Env: Array.from({ length: 50_000 }, (_, n) => `A${n}=x`) }, BUILT),
  config('cmd-50000', { Cmd: Array.from({ length: 50_000 }, () => 'x') }, BUILT),
  config('cmd-3-mb', { Cmd: ['x'.repeat(3 << 20)] }, BUILT),
  config('user-1-mb', { User: 'x'.repeat(1 << 20) }, BUILT),
  config('workdir-1-mb', { WorkingDir: '/x'.repeat(1 << 19) }, BUILT),
  ...['999', '-1', '0', 'SIGFOO', 'RTMIN+99', '1e1', 'constructor', '__proto__'].map(signal =>
    config(`signal-${signal.replace(/\W/g, '_')}`, { StopSignal: signal }, /is not a signal/),
  ),
  ...['Interval', 'Timeout', 'StartPeriod', 'StartInterval'].flatMap(key => [
    ...(
      [
        [-1, BUILT],
        [1e-9, BUILT],
        [1e300, BUILT],
        ['5s', /expected number/],
        [null, BUILT],
      ] as const
    ).map(([value, report], nth) =>
      config(`health-${key}-${nth}`, { Healthcheck: { Test: ['CMD', 'x'], [key]: value } }, report),
    ),
    ...['1e400', 'NaN'].map(number =>
      row(`health-${key}-${number}`, number === 'NaN' ? /not JSON/ : /expected number/, {
        config: good => JSON.stringify(good).replace('"Cmd"', `"Healthcheck":{"Test":["CMD","x"],"${key}":${number}},"Cmd"`),
      }),
    ),
  ]),
  config('health-retries-half', { Healthcheck: { Test: ['CMD', 'x'], Retries: 1.5 } }, /Retries: /),
  config('health-retries-huge', { Healthcheck: { Test: ['CMD', 'x'], Retries: 1e20 } }, /Retries: |built/),
  config('health-retries-negative', { Healthcheck: { Test: ['CMD', 'x'], Retries: -5 } }, BUILT),
  config('health-kind', { Healthcheck: { Test: ['EVIL', 'x'] } }, BUILT),
]

const half = (answer: ServerResponse) => {
  answer.writeHead(200, { 'Content-Length': LAYER.length }).write(LAYER.subarray(0, LAYER.length / 2), () => answer.destroy())
}

export const ANSWERS: Served[] = [
  row('manifest-401', /unauthorized|authentication/i, status(401, { 'WWW-Authenticate': 'Basic realm="\x9b2J"' })),
  row(
    'manifest-401-bearer',
    /failed/,
    status(401, { 'WWW-Authenticate': 'Bearer realm="http://127.0.0.1:1/token",service="x"' }),
  ),
  row(
    'manifest-403',
    /failed/,
    status(403, {}, '{"errors":[{"code":"DENIED","message":"\\u001b[2J\\nbuilt     good/amd64: forged"}]}'),
  ),
  row('manifest-404', /failed/, status(404, {}, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"\\u009b2J\\u202e"}]}')),
  row('manifest-404-html', /failed/, status(404, { 'Content-Type': 'text/html' }, '<html>\x1b[2J\n\u202ex</html>')),
  row('manifest-500', /failed/, status(500, {}, 'x'.repeat(100_000))),
  row('manifest-500-evil', /failed/, status(500, {}, EVIL.repeat(100))),
  row('manifest-429', /let.* nobody ask so often|rate limit/, status(429, {}, '{}')),
  row('manifest-204', /failed/, status(204)),
  row('manifest-418', /failed/, status(418)),
  row('manifest-loop', /failed/, status(302, { Location: 'latest' })),
  row('manifest-to-file', /failed/, status(302, { Location: 'file:///etc/passwd' })),
  row('manifest-gzip', /failed|built/, { serve: { manifest: gzipSync('{}') } }),
  row('manifest-lying-digest', /failed/, {
    serve: {
      manifest: answer => void answer.writeHead(200, { 'Content-Type': MANIFEST, 'Docker-Content-Digest': PATH }).end('{}'),
    },
  }),
  row('manifest-broken-off', /failed/, {
    serve: {
      manifest: answer =>
        void answer.writeHead(200, { 'Content-Type': MANIFEST, 'Content-Length': 500 }).write('{', () => answer.destroy()),
    },
  }),
  row('config-404', /failed/, { serve: { config: answer => void answer.writeHead(404).end() } }),
  row('config-other-bytes', /failed/, { serve: { config: '{"config":{"Cmd":["sh"]}}' } }),
  row('config-broken-off', /failed/, { serve: { config: half } }),
  row('layer-cut', /failed/, { serve: { layer: half } }),
  row('layer-short', /failed/, { serve: { layer: layerOf('layer-short').subarray(0, 50) } }),
  row('layer-long', /failed/, { serve: { layer: Buffer.concat([layerOf('layer-long'), LAYER]) } }),
  row('layer-flipped', /failed/, { serve: { layer: layerOf('layer-flipped').fill(0, 40, 41) } }),
  row('layer-html', /failed/, { serve: { layer: '<html>\x1b[2J</html>' } }),
  row('layer-no-bytes', /failed/, { serve: { layer: '' } }),
  ...[401, 403, 404, 500, 503].map(code => row(`layer-${code}`, /failed/, layerStatus(code, {}, EVIL))),
  row('layer-loop', /failed/, layerStatus(307, { Location: `./${digestOf(layerOf('layer-loop'))}` })),
  row('layer-to-file', /failed/, layerStatus(307, { Location: 'file:///etc/passwd' })),
  row('layer-to-nobody', /failed/, layerStatus(307, { Location: 'http://127.0.0.1:1/x' })),
  critical(
    row(
      'layer-endless',
      /failed/,
      {
        serve: {
          layer(answer) {
            const more = () => {
              while (answer.write(Buffer.alloc(1 << 20)));
            }
            answer.writeHead(200).on('drain', more)
            more()
          },
        },
      },
      'max_size: 64MiB\n',
    ),
  ),
  row('layer-no-gzip', /failed/, { layer: Buffer.from('not gzip') }),
  row('layer-no-tar', /failed|built/, { layer: gzipSync('not tar') }),
  row('layer-gzip-of-gzip', /failed|built/, { layer: gzipSync(gzipSync(tarball({ x: 'y' }))) }),
]

export const LIES: Served[] = [...MANIFESTS, ...INDEXES, ...CONFIGS, ...TEXT, ...NUMBERS, ...ANSWERS]
