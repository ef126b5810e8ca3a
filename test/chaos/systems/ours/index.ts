import type { SystemModule } from '../system.js';
import { isOutage, OursSystem } from './ours-system.js';

export const system: SystemModule = { start: OursSystem.start, isOutage };
