import { Logger } from '@nestjs/common';

// The faults of these tests would fill the terminal with warnings that are all right.
Logger.overrideLogger(false);
