import type { CoordinationConnection } from '../module/coordination-connection.js';
import type { Registration } from '../registry/registration.js';
import { OWN_SOURCE, PROBE_SOURCE, worse, type HealthWord } from '../registry/service-instance.js';
import type { PartHealth } from './part-health.js';

/** How the instances that this process has registered stand, and who says the worst of each. */
export function registryHealth({ parts }: CoordinationConnection): PartHealth {
  const { registrations } = parts.registry;
  const found = registrations.map((registration) => ofRegistration(registration));
  const wanted = parts.options.registration?.name;
  const isThere = wanted === undefined || registrations.some(({ service }) => service === wanted);
  return {
    details: { registrations: found.map(({ shown }) => shown) },
    down: found.flatMap(({ down }) => down ?? []),
    degraded: [
      ...found.flatMap(({ degraded }) => degraded),
      ...(isThere ? [] : [`The application is not registered as an instance of "${wanted}".`]),
    ],
  };
}

function ofRegistration(registration: Registration) {
  const { service, id, registered } = registration;
  const words = registration.words();
  const word = worst(words);
  const name = `The instance "${id}" of the service "${service}"`;
  const deciding = worst(words.filter(({ source }) => source !== PROBE_SOURCE));
  const faults = [
    ...(registered ? [] : [`${name} is not registered now.`]),
    ...(word !== deciding ? [sentence(name, word)] : []),
  ];
  return {
    shown: { service, id, state: word.state, registered, word },
    down: deciding.state === 'up' ? null : sentence(name, deciding),
    degraded: faults,
  };
}

/** The first of the worst; the instance's own is the first of all. */
function worst(words: readonly HealthWord[]): HealthWord {
  return words.reduce((so, word) => (worse(so.state, word.state) === so.state ? so : word));
}

function sentence(name: string, { state, source, by, reason }: HealthWord): string {
  const says = source === OWN_SOURCE ? 'itself' : `"${source}"${by && ` (${by})`}`;
  return `${name} is ${state}, says ${says}${reason === null ? '' : `: ${reason}`}.`;
}
