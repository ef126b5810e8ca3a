/** The features: each is decorated by its own folder, and none knows another. */
const FEATURES = [
  'election',
  'lock',
  'fencing',
  'config',
  'registry',
  'discovery',
  'traffic',
  'transaction',
];

/** What every feature stands on. */
const BELOW_FEATURES = ['nest', 'watch', 'session', 'client', 'context', 'files', 'metrics'];

const feature = { folders: BELOW_FEATURES };

/**
 * What each folder of the library's source may import of the others: whole folders, or single files.
 * Arrows point down only.
 */
export const LAYERS = {
  // The root barrel. What needs an optional peer, or is not for production, has a subpath of its own.
  '.': { folders: ['module', ...FEATURES, ...BELOW_FEATURES] },
  module: { folders: [...FEATURES, ...BELOW_FEATURES] },
  ...Object.fromEntries(FEATURES.map((name) => [name, feature])),
  // An instance is discovered in what the registry wrote.
  // Whom it calls is sent the fences of the running call chain.
  discovery: { folders: [...BELOW_FEATURES, 'registry', 'fencing'] },
  // Its rules are configurations, which turn while everything runs.
  traffic: { folders: [...BELOW_FEATURES, 'config'] },
  // What several features need of Nest: its objects, marked methods, metadata.
  nest: { folders: ['client'] },
  watch: { folders: ['session', 'client'] },
  session: { folders: ['client'] },
  client: { folders: [] },
  // Beside them.
  context: { folders: ['client'] },
  // What is kept for a start without etcd.
  files: { folders: [] },
  metrics: { folders: [] },
  // Clients of messages that follow the registry: `@nestjs/microservices` is an optional peer.
  microservices: { folders: ['module', ...FEATURES, ...BELOW_FEATURES] },
  terminus: { folders: ['module', ...FEATURES, ...BELOW_FEATURES] },
  embedded: { folders: [], files: ['client/coordination.error', 'client/clock'] },
  testing: { folders: ['module', 'embedded', ...FEATURES, ...BELOW_FEATURES] },
};

/** Packages that only these folders may import, type imports aside: their users may not have them. */
export const OPTIONAL_PACKAGES = {
  '@nestjs/terminus': ['terminus'],
  '@nestjs/testing': ['testing'],
  '@nestjs/microservices': ['microservices'],
  '@nestjs/schedule': [],
};
