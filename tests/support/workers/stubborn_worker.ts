/** The workers of hanging_workers_test.ts. */

import { askBefore } from "./stubborn.ts";

askBefore("stubborn_worker");
