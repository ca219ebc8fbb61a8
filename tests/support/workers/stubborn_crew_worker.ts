/** The workers of hanging_crew_test.ts. */

import { askBefore } from "./stubborn.ts";

askBefore("stubborn_crew_worker");
