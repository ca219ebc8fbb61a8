/** The workers of members_test.ts. */

import { dieWhenTold } from "./mortal.ts";

dieWhenTold("mortal_member_worker");
