//! The embedded tokenizer's words, written for this purpose. No word here is rare, and none would be out of place in a prompt.

/// Words that, behind a space, are one token each in the vocabularies of Qwen 2.5, Llama 2, Llama 3 and GPT-2 alike.
pub(super) const COMMON: &str = "\
the of and to in is that for it as was with be by on not he his but at are this have from or had an they which you one
we all her she there would their will when who him been has more if no out so said what up its about into than them
can only other new some could time these two may then do first any my now such like our over man me even most made
after also did many before must through back years where much your way well down should because each just those people
how too little state good very make world still own see men work long get here between both life being under never day
same another know while last might us great old year off come since against go came right used take three able above
abroad absence absolute accept access accident according account achieve acid across act action active activity actor
actual add addition address adjust admit adopt adult advance advantage advice affair affect afford afraid again age
agent ago agree agreement ahead aid aim air aircraft alarm album alive allow almost alone along already although
always amount analysis ancient angle angry animal annual answer anybody anymore anyone anything anyway anywhere apart
appeal appear apple application apply appoint approach appropriate area argue argument arise arm army around arrest
arrive art article artist ask aspect assault assess asset assign assist associate assume assumption atmosphere attach
attack attempt attend attention attitude attract audience author authority available average avoid award aware away
awful baby background bad badly bag balance ball band bank bar base baseball basic basis basket basketball bath battle
beach bean bear beat beautiful beauty become bed begin beginning behavior behind belief believe bell belong below
beneath benefit beside besides best bet better beyond big bill billion bird birth bit bitter black blind block blood
blow blue board boat body bond bonus book boot border born borrow bother bottom bound box boy brain branch brand brave
bread break breakfast breast breath brick bridge brief bright bring broad broken brother brown budget build building
bullet burn bus business busy button buy cabin cabinet cable calculate call calm camera camp campaign campus cancel
cancer candidate cap capable capacity capital captain capture car carbon card care career careful carefully carry case
cast castle cat catch category cause cell center central century ceremony certain certainly chain chair chairman
challenge chamber champion chance change channel chapter character charge chart cheap check chemical chief child
children chip choice choose church circle city civil claim class classic clean clear clearly client climate clock
close closed closer clothes cloud club clue cluster coach coal coast coat code coffee cold collapse collect collection
college color column combine comedy comfort comfortable coming command comment commercial commission commit committee
common communicate communication community company compare comparison competition complete completely complex
complicated component compose computer concept concern concerned concert conclude conclusion concrete condition
conduct conference confidence confident confirm conflict confront confusion connect connection conscious consider
considerable consist consistent constant constantly construct construction consumer contact contain container
contemporary content contest context continue contract contrast contribute contribution control convention
conversation convert cook cookie cool cop copy core corn corner correct cost council count counter country county
couple courage course court cousin cover coverage cow crack craft crash create creation creature credit crew crime
criminal crisis criteria critic critical criticism cross crowd cry cultural culture cup curious current currently
curve custom customer cut cycle daily damage dance danger dangerous dare dark darkness data database date daughter
deal dear death debate decide decision deck declare decrease deep deeply defeat defend defense define definitely
definition degree delay deliver delivery demand demonstrate department depend dependent depending depth derive
describe description desert design designer desire despite destroy destruction detail detailed detect determine
develop developer development device differ difference different difficult difficulty dig digital dimension dinner
direct direction directly director dirty disappear discipline discover discovery discuss discussion disease dismiss
display dispute distance distant distinct distinction distinguish distribution district diverse divide division doctor
document dog domain domestic dominant door double doubt dozen draft drag drama draw drawing dream dress drink drive
driver drop drug dry due during dust duty eager ear early earth ease easily east eastern easy eat economic economy
edge edition editor education educational effect effective effectively efficiency efficient effort egg eight either
elect election electric electronic element elementary eliminate else elsewhere emission employ employee empty enable
encounter end enemy energy engine engineer engineering enjoy enough ensure enter entire entirely entrance entry
environment environmental episode equal equally equipment era error escape especially essential essentially establish
estate estimate evaluate evaluation evening event eventually ever every everybody everyone everything everywhere
evidence evil evolution exact exactly exam examine example exceed excellent except exception exchange executive
exercise exhibition exist existence existing expand expansion expect expectation expensive experience experiment
expert explain explanation explore expose express expression extend extension extensive extent external extra
extraordinary extreme extremely eye fabric face facility fact factor factory fade fail failure fair fairly faith fall
false fame familiar family famous fan far farm fashion fast fat fate father fault favor favorite fear feature federal
fee feed feel feeling fellow female few fewer fiction field fifteen fifth fifty fight fighting figure file fill film
final finally financial find finding fine finger finish fire firm fish fit five fix flag flat flesh flight float floor
flow flower fly focus folk follow following food foot football force foreign forest forever forget form formal
formation former formula forth fortune forward found foundation founder four fourth frame framework free freedom
frequency frequent frequently fresh friend friendly friendship front fruit fuel full fully fun function fund
fundamental future gain gallery game gang gap garden gas gate gather gender gene general generally generate generation
gentle gentleman gesture giant gift girl give given glad glance glass global goal god gold golden golf government
governor grab grade gradually grand grant grass grave gray greatest green ground group grow growing growth guarantee
guard guess guest guide guilty habit habitat hair half hall hand handle hang happen happy hard hardly hat head
headquarters health hear hearing heart heat heaven heavily heavy height hello help helpful hence herself hero hide
high highlight highly highway hill himself hip historian historic historical history hit hold hole holy home honest
honor hope horizon horror horse hospital host hot hotel hour house household housing however huge human humor hundred
hunting hurt husband hypothesis ice idea ideal identify identity ignore ill illegal illustrate image imagination
imagine immediate immediately impact implement imply importance important impossible impress impression improve
improvement incident include including income increase increased increasing indeed independence independent index
indicate individual industrial industry infant influence inform information initial initially injury inner inside
insight install instance instead institution instruction instrument intellectual intelligence intend intensity
intention interaction interest interested interesting internal international interpret interpretation interview
introduce introduction invasion invest investigate investigation involve involved iron island issue item itself job
join joint journal journalist journey joy judge judgment jump junior justice justify keep key kick kid kind king kiss
kitchen knock knowledge lab label labor lack lady lake land landscape language lap large largely largest late later
latter laugh launch law lawyer lay layer lead leader leadership leading leaf league lean learn learning least leave
left leg legacy legal legend length less let letter level liberal library license lie lifetime lift light likely limit
limitation limited line link lip list listen literally literary literature live living load loan local locate location
lock log logic logical longer look loose lose loss lost lot lots loud love low lower luck lung machine mad magazine
magic mail main mainly maintain maintenance major majority male manage management manager manner map margin mark
market marriage married marry mask mass massive master match mate material math matter maximum maybe mayor mean
meaning measure measurement meat mechanism media medical medicine medium meet meeting member membership memory mental
mention menu mere merely mess message metal meter method middle military milk million mind mine minister minor minute
mirror miss mission mistake mix mixture mode model modern mom moment money monitor month moon moral moreover morning
mostly mother motion motor mount mountain mouse mouth move movement movie multiple museum music musical myself mystery
myth name narrow nation national native natural naturally nature near nearby nearly necessarily necessary neck need
negative neighbor neighborhood neither net network news newspaper next nice night nine nobody nod noise none nor
normal normally north northern nose note nothing notice notion novel nuclear number numerous nut object objective
observation observe observer obtain obvious obviously occasion occasionally occupation occur ocean odd offer office
officer official often oil okay once online onto open opening operate operating operation operator opinion opportunity
opposite opposition option orange order ordinary organization orientation origin original originally others otherwise
ought ourselves outcome outside overall overcome owner pace pack package page pain paint painter painting pair palace
pale pan panel paper parent park part participation particular particularly partly partner party pass passage
passenger passion past patch path patient pattern pause pay payment peace peak peer penalty per percentage perfect
perfectly perform performance perhaps period permanent permission permit person personal personally personnel
perspective phase philosophy phone photo photograph phrase physical piano pick picture pie piece pilot pipe pitch
place plan plane planet planning plant plate platform play player please pleasure plenty plot plus pocket poem poet
poetry point pole police policy political politician politics poll pool poor pop popular population port portion
portrait position positive possess possession possibility possible possibly post pot potential potentially pour power
powerful practical practice pray prayer precisely predict prefer preference prepare presence present presentation
preserve president press pressure pretty prevent previous previously price pride priest primarily primary prime
principal principle print prior priority prison prisoner private probably problem procedure proceed process produce
producer product production profession professional professor profile profit program progress project prominent
promise promote prompt proof proper properly property proportion proposal propose proposed prospect protect protection
protein protest proud prove provide provider province provision public publication publish pull purchase pure purpose
push put quality quarter question quick quickly quiet quietly quit quite quote race radical radio rail rain raise
range rank rapid rapidly rare rarely rate rather rating ratio raw reach react reaction read reader reading ready real
reality realize really reason reasonable recall receive recent recently recognition recognize recommend recommendation
record recording recover recovery red reduce reduction refer reference reflect reflection reform refuse regard
regarding regardless regime region regional register regular regularly reject relate relation relationship relative
relatively relax release relevant relief religion religious rely remain remaining remarkable remember remote remove
repeat repeatedly replace reply report represent representation representative reputation request require requirement
research resident resist resistance resolution resolve resort resource respect respond response responsibility
responsible rest restaurant restore restriction result retain return review revolution rice rich rid ride ring rise
risk river road rock role roll roof room root rose rough roughly round route routine row rub rule run running rural
sacred sad safe safety sake sale sales salt sample sand satellite satisfaction satisfy save saving say scale scenario
scene schedule scheme scholar school science scientific scope score screen script sea search season seat second secret
secretary section sector secure security seed seek seem segment select selection self sell send senior sense sensitive
sentence separate sequence series serious seriously serve service session set setting settlement seven several severe
shadow shall shape share sharp sheet shell shelter shift ship shock shoot shooting shop shore short shortly shot
shoulder shout show shut sick side sight sign signal significance significant significantly silence silent silver
similar similarly simple simply sin sing singer single sink sir sister sit site situation six size ski skill skin sky
sleep slice slide slight slightly slow slowly small smart smile smoke smooth snap snow social society soft software
soil solar soldier solid solution solve somebody somehow someone something sometimes somewhat somewhere son song soon
sorry sort soul sound soup source south southern space speak speaker special species specific specifically speech
speed spend spin spirit spiritual split sport spot spread spring square stability stable staff stage stand standard
standing star start statement station statistics status stay steady steel step stick stir stock stone stop storage
store storm story straight strange stranger strategy stream street strength stress stretch strike string strip stroke
strong strongly structure struggle student studio study stuff style subject submit subsequent substantial succeed
success successful successfully sudden suddenly sue suffer sufficient sugar suggest suggestion suit summer sun super
supply support suppose supposed sure surely surface surprise surprised surprising survey suspect sweet swing switch
symbol system table tail talent talk tall tank tap target task taste tax tea teach teacher teaching team technical
technique technology television tell temperature temporary ten tend tennis tent term terms terrible territory test
testing text thank thanks themselves theme theory therefore thick thin thing think thinking third thirty though
thought thousand threat threaten throughout throw thus ticket tie tight tiny tip tired title today toe together tone
tongue tool top topic toss total totally touch tour tournament toward towards tower town trace track trade tradition
traditional traffic trail train training transfer transform transformation transition translate travel treat treatment
tree trial tribe trick trip trouble true truly trust truth try tunnel turn twelve twenty twice type typical typically
ultimately unable uncle understand understanding unfortunately uniform union unique unit universal universe university
unknown unless unlike until unusual upon upper urban use useful user usual usually utility valley valuable value
variable variation variety various vary vast vehicle version versus vessel via victim victory video view village
violence violent virtue virus visible vision visit visitor visual vital voice volume vote wait walk wall want war warm
warn warning waste watch water wave weak wealth weapon wear weather week weight welcome west western wet whatever
wheel whenever whereas whether whisper white whole whom whose why wide widely wife wild willing win wind window wine
wing winner winter wire wisdom wise wish withdraw within without witness woman wonder wonderful wood wooden word
worker working worry worth wrap write writer writing wrong yard yeah yellow yes yesterday yet yield young yours
yourself youth zero zone were am does done doing goes going gone went got getting gives gave taking took taken makes
making comes says saying sees saw seen knew known knows thinks looks looked looking wants wanted uses using finds
tells told asks asked asking works worked seems seemed feels felt tries tried trying leaves leaving called calls
calling needs needed becomes became keeps kept begins began helps helped shows showed shown heard plays played playing
runs ran moves moved moving lives lived believed brings brought happens happened writes wrote written sat stands stood
pays paid meets met includes included continues continued sets learned changes changed leads led understood watched
follows followed stops stopped creates created spoke allows allowed adds added spent grows grew opens opened walked
offers offered considered appears appeared bought waited serves served sends sent expects expected builds built stays
stayed falls fell reaches reached remains remained suggests suggested raised passes passed sold requires required
reports reported decided pulled places cases points groups problems hands parts numbers companies countries schools
families students systems programs questions areas books eyes jobs words issues sides kinds heads houses services
friends hours games lines members laws cars cities communities names teams minutes ideas bodies parents faces levels
offices doors arts wars parties results reasons girls guys moments teachers forces things rights studies women months
weeks days times states rules rates values models methods types cells forms images users files tests steps notes items
tools goals roles views plans costs marks roads trees birds dogs ships walls rooms songs films stars roots fields
hills islands array loop input output server thread query token matrix vector graph node stack queue cache buffer byte
folder directory module merge parameter pointer interface protocol header packet handler callback timer pixel font
layout keyboard cursor icon password login hash random batch gradient metric accuracy precision median variance
deviation probability interval minimum sum fraction percent march eleven forty tram fork sheep rat crow ant thumb fog
closely further clever cruel lazy";

/// Further words that are one token each in the larger vocabularies.
pub(super) const MORE: &str = "\
assistant acquire agency airport announce anxiety apartment approve arrange asleep barely bedroom beef beer belt bench
bend bike birthday bite blame blanket bone boss bottle bowl breathe brush burden butter buyer cake carrier cash
ceiling celebrate charity chase cheek cheese chest chicken childhood chin chocolate citizen classroom climb clinic
clothing coalition cognitive colleague commitment compete complain complaint comprehensive concentrate convince
cooking cooperation cope corporate cotton couch crazy cream creative crop crucial dad dealer debt decade decline deer
deficit democracy deny depict depression deputy deserve desk desperate devote dialogue diet dirt disability disagree
disaster discount dish disorder distribute diversity divorce dollar dominate dramatic earn earnings economics
economist educate elderly electricity elite embrace emerge emergency emotion emotional emphasis emphasize employer
employment encourage engage enhance enormous enterprise entertainment essay ethics ethnic everyday evolve exciting
exhibit expense explode explosion exposure faculty fantasy farmer fence fiber fighter finance fishing fitness flame
flavor flee freeze funding funeral funny furniture furthermore galaxy garage garlic gaze gear genetic gently genuine
ghost girlfriend glove graduate grain grandfather grandmother grocery guideline guy handful headline healthy heel
helicopter hesitate hire holiday homeless honey hungry hunter illness immigrant immigration implication impose
impressive incentive incorporate increasingly incredible indication infection inflation ingredient initiative innocent
inquiry insist inspire institutional instructor insurance intense intervention investigator investment investor invite
involvement jacket jail joke juice jury knee knife laboratory lawn lawsuit leather legislation legitimate lemon lesson
lifestyle lonely lovely lover lucky lunch maker makeup mall manufacturer manufacturing marketing meal meanwhile
medication midnight minority miracle missile moderate modest mood mortgage motivation muscle musician mutual nail
narrative negotiate nerve nervous nevertheless nowhere nurse obligation occupy odds offense offensive olive ongoing
onion opponent oppose organic organize owe painful palm panic pant parking participant participate partnership pension
pepper perceive perception personality persuade phenomenon photographer physically physician pile pine pink plastic
politically pollution porch potato pound poverty powder pregnancy pregnant preparation prescription presidential
pretend privacy prosecutor psychological psychology publicly publisher punishment pursue qualify quarterback recipe
recruit refugee regulate regulation reinforce remind reporter researcher resemble reservation respondent retire
retirement reveal revenue rhythm rifle romantic rope rush salad salary sanction sauce scandal scared scholarship
scientist scream seize senator settle shade shake shelf shine shirt shoe shopping shower sigh slip smell soccer
sophisticated specialist spending spokesman squeeze stair stake stare steal stomach strategic strengthen substance
summit supporter supreme surgery surprisingly surround survival survive survivor sustain swear sweep swim symptom
tactic tape taxpayer tear teen teenager telephone telescope tendency tension testify testimony theater therapy throat
tire tissue tobacco tomato tomorrow tonight tooth tough tourist toy tragedy transportation treaty tremendous trend
troop truck tube twin ultimate undergo urge vacation vegetable venture veteran viewer violate violation virtually
volunteer voter vulnerable wage wake wander wash weakness wealthy wedding weekend weekly weigh welfare widespread wipe
workshop worried wound hears believes sits loses learns watches speaks spends walks remembers considers buys waits
cuts raises sells decides pulls governments nights businesses fathers presidents kids histories mornings airs deals
risks gains cats seeds lakes seas winds checksum epoch latency throughput bandwidth goodbye april august september
november december monday friday sunday france germany china japan india canada america europe africa asia australia
london paris berlin york purple thirteen fourteen sixteen seventeen eighteen nineteen sixty seventy eighty ninety
bicycle taxi ferry metro wagon brake harbor sandwich pizza pasta candy banana grape cherry peach berry carrot wheat
flour spoon stove oven pig goat duck goose rabbit lion tiger wolf fox elephant monkey snake frog turtle shark whale
eagle owl bee spider butterfly worm elbow waist liver thunder lightning frost pond jungle shallow dull thirsty shy
polite rude stale sour salty assert clone duration default debug tokenizer summary usage chunk format offset dataset
chat config partial concurrency prefix await reset percentile instant template parallel hint static timeout skip delta
deadline decode encode cannot socket interrupt filter atomic serialize benchmark exit sync parse parser snapshot
schema arrival inference proxy runtime completion endpoint span decoder encoder nearest timeline plain held drain
spawn invalid valid trim linear width vocabulary exponential pulse flush ramp pending certificate fetch iterator probe
timestamp precise export console insert descriptor meant backend frontend elapsed rename stats null truncate append
auto aggregate blank suffix signature binary concurrent info embedding terminal unexpected transport verify retry mock
authorization alias idle override continuous deploy docker kernel compiler debugger docs tutorial readme wrapper lexer
syntax semantic dynamic virtual abstract inherit async mutex scheduler daemon replica shard partition backup migrate
upgrade uninstall configure deployment pipeline workflow dashboard logger logging tracing profiler alert gauge
histogram integer char boolean decimal hexadecimal unicode ascii newline whitespace tab comma colon bracket
parenthesis slash dash underscore tensor neural transformer tuning checkpoint pretrained hardware firmware processor
disk router gateway firewall subnet handshake encryption decryption cipher bearer payload redirect traceback
breakpoint assertion integration regression refactor deprecated experimental nightly json yaml html http https const
struct enum trait impl bool usize args params url api cli gpu cpu ram linux python rust java whoever whichever
hundreds thousands millions cent verse appendix bibliography footnote heading paragraph outline revise revision edit
typo grammar spelling punctuation elegant obscure vague explicit implicit concise verbose lengthy tedious trivial
mandatory optional spectrum wavelength amplitude voltage circuit resistor battery laser lens optical magnetic electron
proton neutron atom molecule enzyme bacteria vaccine antibody immune dose tablet diagnosis invoice receipt refund
warranty shipping supplier retailer wholesale inventory warehouse logistics freight parliament senate congress
ministry embassy tariff asylum visa passport orchestra melody harmony lyric chorus guitar violin drum trumpet flute
ballet opera sculpture canvas pencil ruler scissors glue envelope stamp notebook calendar diary backpack suitcase
umbrella pillow curtain carpet sofa drawer faucet toilet towel soap shampoo razor perfume lipstick hammer screw drill
wrench ladder bucket hook bolt hinge lever axle copyright licensed covered permitted granted warranties liability
damages herein thereof hereby modify modified modification redistribute royalty patent trademark convey propagate
terminate termination comply compliance applicable perpetual";
