/** The workers of worker_end_test.ts. */

import { askBefore } from "./stubborn.ts";

askBefore("stubborn_end_worker");
