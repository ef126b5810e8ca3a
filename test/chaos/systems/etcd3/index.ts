import type { SystemModule } from '../system.js';
import { Etcd3System } from './etcd3-system.js';

export const system: SystemModule = { start: Etcd3System.start, isOutage: () => true };
