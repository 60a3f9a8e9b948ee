/**
 * A layer as `tar -c sub scm-source.json | zstd -9` makes it: several blocks with matches that go beyond them, and a
 * checksum. `sub/numbers` has 300 KiB; the other file is that of layer-archives.ts.
 */
export const ZSTD_LAYER = Buffer.from(
  [
    'KLUv/aQAeAUAVBgAxrx0FpCpmgNYwjRg0f8XiIiICIkHZNy8awF5AGIAYwDXDjtrrK+2umqqp5a6ddRJI3200UUTPbTQpYPO',
    'Geebba6Z5pll7hxzyiifbHLJJI8scuWQs2O/br069enS26Pn+G3X9Cw3DgaRK5VUSYksIsKQgEAgULBgACCwkGBQODhAMBwO',
    'CAEKCQuGOhgsJhqGqouIMAAILCQEvdNjekpH6SfdpJd0kj7SRXqlh/Rsx/Zrt/Zqp/Zpl/a2R3tGx+gX3aJXdIo+0SV6o0f0',
    'zDG/3PLKKZ9c8uaRJ4744YYXTvjgghcPPG+877a7brrnlrt33GmjfbbZZZM9tlhL9maP7IkdsR92w17YCftgF+zFHtjzOl6/',
    '63a9rtP1uS7Xez2up3W0ftbNelkn62NdrNd6WM/qWP2qW/WqTtWnulRv9aie1JH6UTfqRZ2oD3WhXupBPafj9Jtu02s6TZ/p',
    'MgFFIw1MPCsaaVziWdFIwxLPikYalXhWNNKgxLOikcYknhWNNCTxrGik0cSzopFGNPGsaKSRiWdFIw1MPCsaaVziWdFIwxLP',
    'ikYalXhWNNKgxLOikcYknhWNNCTxrGik0cSzopF7GDBYOEA4Qs7smP2yW/bKTtknG4DGqDHMpqCgUGn/DdBDhjkSQBBAEHgE',
    'AkEwQnBCMELwJwiC8AccunTpqgt1nUuXLrro0kVXXbqULrl06aJLXbrq0qWL6JKLLl100aWrLl11EV1y6dJFF1111aVLF9El',
    'l6666KJLV126dCm65NKliy66dK1Lly6iSy5dutJFl666dOkiusqlSxdddOmqqy5dWNYVDJdcueQqV65cuc7FXHHNlYtcuXLJ',
    'lctclQuuXLnIlWuuuXLJJbngyjUXuXLlmiuXXCUXXLlykStXrnPlkktywZUrl3LlyjVXLrkkV7hy5SJXrlxzzSWX5IIrVy5y',
    'zZVrrlxySS645spFrly55splLiG5gMGFCxe4cMUVF66u8br1y1aBRVKbTwd80sJ8mvWtUVyzXAWQNX0TCACwTGBKMcb4AYwK',
    'ABKNGAjAdyRhZRngnJzkIw4oJ3/EAeUUH3FAOcFHHFBO/YgDyokfcUA57SMOKCf1Iw4op3/EAeU0H3FAOclHHFBO/ogDyik+',
    '4oBygo84oJz6EQeUEz/igHLaRxxQTuJHHFBO/4gfgLycEOgeAKKrunLVpasuXbro0qVrusylS5cuXXTpqkvX6MqlS5eudenS',
    'pUtX68pVly5ddenSpauu1pVLly5dddWlS5eu1pVLV1266tKlS5eurSuXLl266tJVly5dXRcuXbrSpUuXLl11SddcdenSpUsX',
    'XXXpmq65dOnSVRddunTpGl256tKlqy5dunTV1bpy6dKlq666dOnS1bpy6apLV126dOnStXXl0qVLV1266tKlq3Xl0qWrrrp0',
    '6dKlq3XNpUuXrrp06apLV+vKpUuXrnXp0qVLV9eFqy5ddOnSpUvXuqQrV126dJU1IzH9DAC2EDEdcLfpPUCtGX36D9oaxfD/',
    'P8Qk2U12U9Ec/+dC+AEiACIALwBn+d68mniG782riWf33ryaeGb63ryaePbvzauJZ/7evJoZePbvzauJZ/7evJp41u/Nq4ln',
    '/N68mni2782riWf63ryaGEdBHAayoMNJLJTj4AwwCWIwCVJGJZamELYVu6+gQKngcBBLg1KAgkgFALN9b17NhYQqo1LDHEwq',
    'Qx0FOgpKZdSCCJjmKEO9N68mnpVRCpSkxOAsZSgmQQ6LxSEQgIioIdQmqR87a+EL7b8BEkAQ+BEEfgUBBME/gqCBvwbqK/6W',
    'CjSvxl55OuDV1M8AwIBXJkBkzA9FuHTRpUsXXbp01SVdctGlSxdduuiqSxfoyqUrXbp01aVLl67TlYuudemqS5euunRd11y6',
    'dKlLl666dNEFunLpqksXXXXp0qXrdOWiS5cu69Klqy5d1zWXLl116aKrLl26QJdcuurSpasuunTpOl256NKlqy5d6qpL16ML',
    'Ll266NKliy66dIWuXLrUpUtXXbp00XW6ctGlS1ddunQlE9eFnwjhWg==',
  ].join(''),
  'base64',
);
